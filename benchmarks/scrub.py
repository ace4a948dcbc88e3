"""How fast the scrubber draws, and what a moved cursor costs: `python -m benchmarks.scrub [rounds]`, wants Chromium.

The page of the sample clip, poses of two networks, truth and box drawn over the frames. While the cursor is dragged
every drawn frame is counted; then the cursor is moved by a key, and what the server sends is counted.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from browsing import ARGUMENTS, CHROMIUM, serve  # noqa: E402

SWEEP = """timeline => new Promise(done => {
    const area = timeline.getBoundingClientRect(), count = Number(timeline.getAttribute('aria-valuemax')) + 1;
    const root = timeline.getRootNode(), picture = root.querySelector('.picture');
    const left = root.querySelector('.names button').getBoundingClientRect().right + 8, right = area.right - 6;
    const send = (kind, frame) => timeline.dispatchEvent(new PointerEvent(kind, {
        clientX: left + (right - left) * (frame + 0.5) / count, clientY: area.bottom - 8, pointerId: 1}));
    timeline.setPointerCapture = () => {};
    let drawn = 0, move = 0;
    new MutationObserver(found => { drawn += found.length; })
        .observe(picture, {attributes: true, attributeFilter: ['data-frame']});
    const start = performance.now();
    send('pointerdown', 0);
    const next = () => {
        const turn = move++ % (2 * count), seconds = (performance.now() - start) / 1000;
        send('pointermove', turn < count ? turn : 2 * count - 1 - turn);
        if (seconds < 5) return requestAnimationFrame(next);
        send('pointerup', 0);
        done([drawn, seconds]);
    };
    next();
})"""  # five seconds of dragging to and fro, by one frame for each of the screen's


def drawn_per_second(page: Page) -> float:
    """Frames drawn per second while the cursor is dragged to and fro."""
    drawn, seconds = page.locator(".timeline").evaluate(SWEEP)
    return drawn / seconds


def main(rounds: int = 5) -> None:
    received: list[int] = []
    with (
        TemporaryDirectory() as folder,
        serve(Path(folder), Path(folder) / "server.log") as address,
        sync_playwright() as play,
    ):
        browser = play.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(600_000)
        page.on("websocket", lambda socket: socket.on("framereceived", lambda data: received.append(len(data))))
        rates: dict[str, list[float]] = {"Person": [], "Whole frame": []}
        costs = []
        for region in list(rates) * rounds:
            page.goto(f"{address}?frame=30&region={region.replace(' ', '+')}")
            page.locator(".picture[data-frame='30']").wait_for()
            page.get_by_text("Key frame 30.").wait_for()
            page.wait_for_timeout(2000)
            rates[region].append(drawn_per_second(page))
            page.wait_for_timeout(5000)
            received.clear()
            frame = int(page.get_by_role("slider", name="Frame").get_attribute("aria-valuenow") or 0)
            page.get_by_role("slider", name="Frame").press("ArrowRight")
            page.get_by_text(f"Key frame {frame + 1}.").wait_for()
            page.wait_for_timeout(2000)
            costs.append(sum(received))
        browser.close()
    print("| question | answer | goal |\n|---|--:|--:|")
    for region, found in rates.items():
        print(f"| frames drawn per second, {region.lower()}, best of {rounds} | {max(found):.0f} | ≥ 30 |")
    print(f"| bytes received for a moved cursor, most of {len(costs)} | {max(costs)} | ≤ 300000 |")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
