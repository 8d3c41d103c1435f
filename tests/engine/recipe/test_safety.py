"""A recipe is data: reading and checking one runs nothing, opens nothing and imports nothing."""

from __future__ import annotations

import subprocess
import sys

WATCH = '''
import sys

from engine.recipe.check import check
from engine.recipe.document import Document
from engine.recipe.json_schema import recipe_schema

GOOD = """
data: {source: {type: CSV, path: a.csv, target: y}}
model: {layers: [{type: Linear, out_features: outputs}]}
optimizer: {type: Adam, lr: 1e-3}
search: {space: {optimizer.lr: {uniform: [0.1, 1]}}}
"""
HOSTILE = [
    "!!python/object/apply:os.system ['touch owned']",
    "a: !!python/name:os.system",
    "_target_: os.system",
    "model: {layers: [{type: os.system, command: id}]}",
    "model: {layers: [{type: torch.nn.Linear, out_features: 3}]}",
    "model: {layers: [{type: __import__, name: os}]}",
    "optimizer: {type: Adam, __class__: x, __init__: {y: z}}",
    "loss: {type: ../../etc/passwd}",
    "data: {source: {type: CSV, path: /etc/passwd, target: y}}",
    "data: {source: {type: CSV, path: 'http://x.invalid/a.csv', target: y}}",
    "data: {source: {type: CSV, path: '${oc.env:HOME}', target: y}}",
    "data: {source: {type: NPY, features: /dev/zero, target: /dev/stdin}}",
    "name: '{{7*7}}'",
    "train: {device: 'cuda:0; touch owned'}",
    "search: {space: {__class__.__init__: {choice: [1]}}}",
    "parts: /tmp/evil.py",
]


def look(text):
    return check(Document.from_text(text)).problems


for text in [GOOD, "a: [", GOOD + "seed: yes", *HOSTILE]:
    look(text)  # Lazy imports of our own happen here.

seen = []
WATCHED = ("exec", "compile", "import", "open", "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn")
sys.addaudithook(lambda event, args: seen.append((event, args)) if event.startswith((*WATCHED, "socket.")) else None)
for text in HOSTILE:
    assert look(text) or "path" in text or "NPY" in text, text
    look(GOOD.strip() + "\\n" + text)
    look(GOOD.replace("1e-3", text))
look(GOOD)
print(seen)
'''


def test_hostile_recipes_run_nothing() -> None:
    done = subprocess.run([sys.executable, "-c", WATCH], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.strip() == "[]"
