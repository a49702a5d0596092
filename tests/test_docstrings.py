"""Function docstrings begin with a verb in the imperative; those of classes and properties are noun phrases."""

import ast
from collections.abc import Iterator
from pathlib import Path

import vsrcli

VERBS = """
Add Align Append Apply Assign Average Blur Build Call Change Check Choose Collect Compare Complete Compose Compress
Compute Connect Continue Convert Convolve Copy Count Create Crop Cut Decide Decode Decompress Define Delete Detect
Discard Divide Download Downscale Draw Encode Enlarge Estimate Examine Expect Extract Fill Filter Find Fit Flush Fold
Format Fuse Generate Handle Have Hold Import Initialise Join Let List Load Make Map Measure Merge Mix Move Multiply
Normalise Notify Open Overwrite Pack Pad Paint Pair Parse Pass Pickle Plan Print Probe Process Push Put Raise Read
Record Refine Release Remove Rename Replace Report Request Reset Resize Resolve Restore Return Round Run Sample Scale
Score Select Send Serve Set Show Skip Sort Split Stack Start Stop Store Switch Take Test Train Transform Translate Trim
Try Turn Unfold Update Upload Upsample Upscale Use Validate Verify Wait Walk Warn Warp Weight Wrap Write Yield
"""
"""Verbs with which docstrings begin. Add a verb that is missing; a noun or a participle is none."""


def docstrings(body: list[ast.stmt]) -> Iterator[tuple[ast.FunctionDef, str]]:
    """Yield the functions except properties, also of classes and functions, with their docstrings."""
    for node in body:
        if isinstance(node, ast.FunctionDef):
            docstring = ast.get_docstring(node)
            if docstring and not any("property" in ast.unparse(one) for one in node.decorator_list):
                yield node, docstring
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield from docstrings(node.body)


def test_function_docstrings_begin_with_a_verb() -> None:
    package, verbs, count, wrong = Path(vsrcli.__file__).parent, set(VERBS.split()), 0, list[str]()
    for path in sorted(package.rglob("*.py")):
        for node, text in docstrings(ast.parse(path.read_text(encoding="utf-8")).body):
            count += 1
            if text.split()[0].strip(".,:;") not in verbs:
                wrong.append(f"{path.relative_to(package)}:{node.lineno} {node.name}: {text.splitlines()[0]}")
    assert count > 500
    assert not wrong, "\n".join(wrong)
