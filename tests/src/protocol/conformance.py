"""jupyter_kernel_test on our kernel, with every sample that the suite knows filled in, so that it skips nothing.

Prints one line of JSON a test: {"name", "outcome": "passed" | "failed" | "skipped", "detail"}. conformance.test.ts reads them.
"""

from __future__ import annotations

import json
import sys
import unittest

import jupyter_kernel_test as jkt


class MetastateKernelTests(jkt.KernelTests):
    kernel_name = "metastate"
    language_name = "typescript"
    file_extension = ".ts"

    code_hello_world = 'console.log("hello, world")'
    code_stderr = 'console.error("to standard error")'

    completion_samples = [
        {"text": "Number.isSafeI", "matches": {"isSafeInteger"}},
        {"text": 'const s: string = ""; s.toUpperC', "matches": {"toUpperCase"}},
        {"text": "display.markd", "matches": {"markdown"}},
        {"text": "zzz_there_is_no_such_name", "matches": set()},
    ]

    complete_code_samples = [
        "1 + 1",
        "const a: number = 1;",
        "function f(x: number): number { return x; }",
        "await Promise.resolve(1)",
        "// only a comment",
        "const t = `over\ntwo lines`;",
    ]
    incomplete_code_samples = ["function f() {", "const a = [1,", "const t = `not closed", "if (1 > 0) {", "/* open"]
    invalid_code_samples = ["const 1a = 2;", "let = = 3;", ")"]

    code_page_something = "console?"

    code_generate_error = 'throw new Error("on purpose")'

    code_execute_result = [
        {"code": "6 * 7", "result": "42"},
        {"code": "[1, 2].map((x) => x * 2)", "result": "[ 2, 4 ]"},
        {"code": "await Promise.resolve(`later`)", "result": "'later'"},
        {"code": "({ a: 1 })", "result": "{ a: 1 }"},
    ]

    code_display_data = [
        {"code": 'display.html("<b>bold</b>")', "mime": "text/html"},
        {"code": 'display.markdown("**bold**")', "mime": "text/markdown"},
        {
            "code": 'display({ [Symbol.for("Jupyter.display")]: () => ({ "image/svg+xml": "<svg/>", "text/plain": "s" }) })',
            "mime": "image/svg+xml",
        },
        {
            "code": 'display({ [Symbol.for("Jupyter.display")]: async () => ({ "text/latex": "$x$", "text/plain": "x" }) })',
            "mime": "text/latex",
        },
    ]

    code_history_pattern = "6 ? 7"
    supported_history_operations = ("tail", "range", "search")

    code_inspect_sample = "console.log"

    code_clear_output = "display.clear()"


class MetastateIopubWelcomeTests(jkt.IopubWelcomeTests):
    kernel_name = "metastate"
    support_iopub_welcome = True


class LineResult(unittest.TestResult):
    """Prints what became of each test; a subtest that fails or skips decides for its test."""

    def startTest(self, test: unittest.TestCase) -> None:
        super().startTest(test)
        self.outcome, self.details = "passed", []

    def stopTest(self, test: unittest.TestCase) -> None:
        super().stopTest(test)
        say(name_of(test), self.outcome, self.details)

    def note(self, outcome: str, test: unittest.TestCase, detail: str) -> None:
        if self.outcome != "failed":
            self.outcome = outcome
        self.details.append(f"{name_of(test)}: {detail}")

    def addFailure(self, test, error) -> None:
        super().addFailure(test, error)
        self.note("failed", test, self._exc_info_to_string(error, test))

    def addError(self, test, error) -> None:
        super().addError(test, error)
        detail = self._exc_info_to_string(error, test)
        if isinstance(test, unittest.TestCase):
            self.note("failed", test, detail)
        else:  # the class could not be set up: no test starts
            say(str(test), "failed", [detail])

    def addSkip(self, test, reason: str) -> None:
        super().addSkip(test, reason)
        self.note("skipped", test, reason)

    def addSubTest(self, test, subtest, error) -> None:
        super().addSubTest(test, subtest, error)
        if error is not None:
            self.note("failed", subtest, self._exc_info_to_string(error, test))


def name_of(test: unittest.TestCase) -> str:
    return test.id().replace("__main__.", "")


def say(name: str, outcome: str, details: list[str]) -> None:
    print(json.dumps({"name": name, "outcome": outcome, "detail": "\n".join(details)}), flush=True)


if __name__ == "__main__":
    loader = unittest.defaultTestLoader
    suite = unittest.TestSuite(
        loader.loadTestsFromTestCase(case) for case in (MetastateKernelTests, MetastateIopubWelcomeTests)
    )
    sys.exit(0 if suite.run(LineResult()).wasSuccessful() else 1)
