"""Pictures of every page, to look at: python tests/screenshots.py [FOLDER [WORD]], or `make screenshots`.

In light and dark, for a laptop (1280 pixels) and a phone (390), each page as long as it is. Give a word to take only
the pictures whose name holds it: python tests/screenshots.py runs/screenshots heatmap-dark
"""

import os
import sys
import tempfile
from pathlib import Path

from browsing import ARGUMENTS, CHROMIUM, ROOT, serve
from playwright.sync_api import Browser, expect, sync_playwright

WIDTHS = {1280: 800, 390: 844}  # of the window, with its height
SCHEMES = ("light", "dark")
UNFINISHED = ".stStatusWidget, [data-stale=true], [data-testid=stSkeleton]"
FIRST, SAMPLE = "poses_and_spectra", "?frame=41"  # the page without a path; what all pages show
VIEWS = {  # what is looked at, besides every page as it opens
    "box": "?draw=true",
    "strip": "figures?made=Frame+strip&strip+plain=true",
    "annotated": "figures?made=Annotated+clip&frame=41",
    "change": "blur_against_energy?frame=41&network=freq-video&length=15",
    "tables": "figures?made=Tables",
    "heatmap": "?frame=41&joint=left+wrist&region=Whole+frame",
}


def addresses() -> dict[str, str]:
    """Name and address of everything to look at; the first page is the one without a path."""
    pages = [page.stem for page in sorted((ROOT / "pages").rglob("*.py"))]
    return {page: ("" if page == FIRST else page) + SAMPLE for page in pages} | VIEWS


def picture(browser: Browser, address: str, file: Path, width: int, scheme: str) -> None:
    """Write what the page shows once it stands still."""
    page = browser.new_page(viewport={"width": width, "height": WIDTHS[width]}, color_scheme=scheme)
    page.set_default_timeout(60_000)
    page.goto(address)
    expect(page.get_by_role("heading", level=1)).to_be_visible(timeout=60_000)
    page.wait_for_function(f"document.querySelector('{UNFINISHED}') === null")
    expect(page.locator(".waiting")).to_be_hidden(timeout=60_000)  # the frames of the scrubber
    page.wait_for_timeout(1500)  # what fades in
    height = page.evaluate("document.querySelector('.stMain').scrollHeight")
    page.set_viewport_size({"width": width, "height": max(height, WIDTHS[width])})
    page.wait_for_function(f"document.querySelector('{UNFINISHED}') === null")
    page.wait_for_timeout(500)
    page.screenshot(path=file)
    page.close()


def main(folder: Path, word: str = "") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    runs = Path(os.environ.get("FREQVIZ_RUNS", ROOT / "runs"))
    with (
        tempfile.TemporaryDirectory() as logs,
        serve(runs, Path(logs) / "log") as address,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        for name, path in addresses().items():
            for width in WIDTHS:
                for scheme in SCHEMES:
                    file = folder / f"{name}-{scheme}-{width}.png"
                    if word not in file.name:
                        continue
                    picture(browser, address + path, file, width, scheme)
                    print(file)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "runs" / "screenshots"), *sys.argv[2:3])
