"""Training without torch's compiler."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from engine.runs.launch import worker_environment

SCRIPT = '''
import sys
from pathlib import Path
from engine.train.executors.executor import Rate
from engine.train.session import open_session

for kind in ("Adam", "SGD", "RMSprop"):
    text = """
data: {source: {type: Builtin, name: iris}}
model: {layers: [{type: Linear, out_features: 4}, {type: Linear, out_features: outputs}]}
train: {clip_grad_norm: 1.0}
optimizer: """ + kind
    executor = open_session(text, Path()).executor
    executor.mark()
    assert executor.finite(executor.run(0, 0, [Rate(0.1)] * 2).losses)
    executor.rewind()
    executor.load(executor.state())
    list(executor.evaluate("validation"))
print("torch._dynamo" in sys.modules)
'''


def test_the_compiler_is_never_imported(tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-c", SCRIPT]
    done = subprocess.run(command, capture_output=True, text=True, env=worker_environment(), cwd=tmp_path, check=False)
    assert done.stdout.strip() == "False", done.stdout + done.stderr
