# SPDX-License-Identifier: MIT
"""Files from elsewhere are data: nothing that reads one can run code from it."""

from __future__ import annotations

import ast

FOLDERS = ("whispersign_model", "whispersign_ros", "launch", "tools")
RUNS_CODE = ("pickle", "cPickle", "dill", "joblib", "shelve", "marshal", "cloudpickle")
SAFE_LOADERS = (
    "_LOADER",
    "_TEXT_LOADER",
    "_Loader",
    "SafeLoader",
    "CSafeLoader",
    "BaseLoader",
    "CBaseLoader",
)


def _calls(sources):
    """Yield every call: where, what is called (dotted), and its keyword arguments."""
    for folder in FOLDERS:
        for path, tree in sources.trees(folder).items():
            for node in ast.walk(tree):
                if isinstance(node, ast.Call):
                    keywords = {word.arg: ast.unparse(word.value) for word in node.keywords}
                    yield f"{path}:{node.lineno}", ast.unparse(node.func), keywords


def test_nothing_unpickles(sources):
    found = [
        (path, name)
        for folder in FOLDERS
        for path, name in sources.imports(folder)
        if name.split(".")[0] in RUNS_CODE
    ]
    assert found == []


def test_no_reader_may_run_code(sources):
    seen, faults = set(), []
    for place, name, keywords in _calls(sources):
        safe = True
        if name in ("yaml.load", "yaml.load_all"):
            safe = keywords.get("Loader", "").rpartition(".")[2] in SAFE_LOADERS
        elif name in ("yaml.unsafe_load", "yaml.full_load", "eval", "exec", "os.system"):
            safe = False
        elif name in ("np.load", "numpy.load"):
            safe = keywords.get("allow_pickle") == "False"
        elif name == "torch.load":
            safe = keywords.get("weights_only") == "True"
        elif name.startswith("subprocess."):
            safe = "shell" not in keywords
        else:
            continue
        seen.add(name)
        if not safe:
            faults.append((place, name))
    assert faults == []
    assert {"yaml.load", "np.load", "torch.load"} <= seen  # the test still finds what it looks at
