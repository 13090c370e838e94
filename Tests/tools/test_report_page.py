"""What Scripts/test-page finds wrong with a page."""

import shutil
import unittest

from support import TestInDirectory

from tools.report_page.chromium import Chromium
from tools.report_page.main import Examination

GOOD = """<!DOCTYPE html><html lang="en"><head><title>Shop</title></head><body><header><h1>Shop</h1></header><main>
<p>one</p><p>two</p><p>three</p><p>four</p></main><footer>five</footer></body></html>"""
BAD = {
    '<p style="width: 900px">wide</p>': "the page is",
    '<p style="font-size: 10px">small</p>': "text of 10.0 px",
    '<p style="color: #999; background: #fff">pale</p>': "contrast 2.85",
    '<svg viewBox="0 0 9 9"></svg>': "a drawing without words",
    '<svg role="img" aria-label="a" viewBox="0 0 900 90" width="300"><text y="20" font-size="20">tiny</text></svg>':
        "text of 6.7 px",
    "<h3>a third</h3>": "a heading of level 3 after one of 1",
    '<img src="data:,x" alt="x">': "refers to something",
    '<p style="width: 50px; overflow: hidden; white-space: nowrap">cut off at its end</p>': "cut off",
    '<p style="position: absolute; left: -40px">beside</p>': "beside the page",
}


@unittest.skipUnless(shutil.which("chromium"), "there is no chromium")
class ExaminationTests(TestInDirectory):
    """Each fault is found, and a page without one is let through."""

    def test_what_is_wrong_is_named(self) -> None:
        with Chromium() as browser:
            for number, (bad, fault) in enumerate([("<p>good</p>", ""), *BAD.items()]):
                page = self.write(f"{number}.html", GOOD.replace("<p>four</p>", bad + "<p>four</p>"))
                examination = Examination(browser, self.root)
                examination.look(page, 360, "light")
                found = [each.split(": ", 1)[1] for each in examination.faults]
                self.assertTrue(any(each.startswith(fault) for each in found) if fault else not found, (bad, found))

    def test_what_is_asked_for_is_named(self) -> None:
        page = self.write("page.html", GOOD.replace("<p>four</p>", '<img src="other.png" alt="x"><p>four</p>'))
        with Chromium() as browser:
            examination = Examination(browser, self.root)
            examination.look(page, 360, "light")
        self.assertTrue(any("asks for file://" in fault for fault in examination.faults), examination.faults)


if __name__ == "__main__":
    unittest.main()
