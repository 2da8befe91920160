"""`python -m bench.page`: measures the web page in use, with twenty photos or with a hundred in the list.

A real Chromium drives the page of a service started for this. Without --hundred, the session has twenty photos, a
marketplace, another one, a light gray ground, a shadow, download all. For each step it counts clicks, key presses,
seconds until every card is settled, requests for pictures, bytes sent and received, and credits. A file dialog counts
as two clicks, a menu as two, a colour as one click and its seven characters.

With --hundred it measures the memory of the tab, and the frames while the whole list scrolls: before there is a result,
and with all results.

--source measures the page of another checkout with this script, for a comparison. Photos come from a folder and are
reused under other names; each file has different bytes, so that no cache of the service knows it.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import httpx
from playwright.sync_api import Page, Request, Route, sync_playwright

from bench.load.replicas import new_key, replica

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
CHROMIUM = "/usr/bin/chromium"
PICTURES = "**/v1/packshots*"
QUIET_S = 1.5
"""Seconds without activity that count as settled; the page waits up to 0.5 s before it acts on a changed setting."""
PATIENCE_S = 600.0
GRAY = "#f2f2f2"
LATE_MS = 33.4
"""A later frame was missed at 30 frames a second."""
_WATCH = """() => {
    globalThis.lastBusy = Date.now();
    const busy = () => document.querySelector(".card progress:not([hidden])");
    setInterval(() => { if (busy()) globalThis.lastBusy = Date.now(); }, 20);
    globalThis.isBusy = () => Boolean(busy());
}"""
_FRAMES = """() => {
    globalThis.frames = [];
    const note = (at) => { frames.push(at); if (globalThis.frames) requestAnimationFrame(note); };
    requestAnimationFrame(note);
}"""
_TO_TOP = "() => scrollTo({ top: 0, behavior: 'instant' })"


@dataclass
class Step:
    """The cost of one step. seconds: until every card was settled. sent_bytes, received_bytes: of those requests."""

    name: str
    clicks: int
    keys: int = 0
    seconds: float = 0.0
    requests: int = 0
    sent_bytes: int = 0
    received_bytes: int = 0
    credits: int = 0


@dataclass(frozen=True)
class Frames:
    """Times between frames while the list scrolls, in ms. late: the share that took more than 33 ms."""

    count: int
    median_ms: float
    p95_ms: float
    longest_ms: float
    late: float


@dataclass(frozen=True)
class Look:
    """The tab at one moment. heap: of its JavaScript. renderer, browser: resident memory of its process, of all."""

    moment: str
    cards: int
    nodes: int
    heap_mb: float
    renderer_mb: float
    browser_mb: float
    frames: Frames


@dataclass
class Traffic:
    """Counts requests for pictures, and the bytes of these requests and of their links."""

    requests: int = 0
    sent_bytes: int = 0
    received_bytes: int = 0
    last_s: float = 0.0
    in_flight: set[Request] = field(default_factory=set)

    def follow(self, page: Page) -> None:
        page.on("request", self._begin)
        page.on("requestfinished", self._end)
        page.on("requestfailed", self._end)
        network = page.context.new_cdp_session(page)
        network.send("Network.enable")
        network.on("Network.requestWillBeSentExtraInfo", self._sent)
        network.on("Network.loadingFinished", self._received)

    def _begin(self, request: Request) -> None:
        # The page reads only the status of account requests and similar ones, which therefore never finish.
        if request.resource_type not in {"xhr", "fetch"} or not (
            "/v1/packshots" in request.url or "/results/" in request.url
        ):
            return
        self.in_flight.add(request)
        self.last_s = time.time()
        self.requests += is_for_a_picture(request)

    def _end(self, request: Request) -> None:
        if request in self.in_flight:
            self.in_flight.remove(request)
            self.last_s = time.time()

    # Sizes come from the browser's network layer, since a script cannot measure the body of a form with files.
    def _sent(self, said: dict[str, dict[str, str]]) -> None:
        sizes = [value for name, value in said["headers"].items() if name.lower() == "content-length"]
        self.sent_bytes += sum(int(size) for size in sizes)

    def _received(self, said: dict[str, float]) -> None:
        self.received_bytes += int(said["encodedDataLength"])


def is_for_a_picture(request: Request) -> bool:
    """Whether the request asks the service to make a picture."""
    return request.method == "POST" and "/v1/packshots" in request.url


class Visit:
    """The page in a tab, with its measured steps. key: of the service at `address`."""

    def __init__(self, page: Page, address: str, key: str) -> None:
        self.page, self.address, self.key = page, address, key
        self.traffic = Traffic()
        self.steps: list[Step] = []
        page.set_default_timeout(1000 * PATIENCE_S)

    def open(self) -> None:
        """Load the page with the key, like the link that packshot prints."""
        self.traffic.follow(self.page)
        self.page.goto(f"{self.address}/#key={self.key}")
        self.page.locator("input[name=preset][value=amazon]").wait_for(state="attached")
        self.page.evaluate(_WATCH)

    def step(self, name: str, act: Callable[[], object], *, clicks: int, keys: int = 0) -> Step:
        """Do the step, and wait until every card is settled and no request is in flight."""
        traffic = self.traffic
        before = traffic.requests, traffic.sent_bytes, traffic.received_bytes, self.credits
        step = Step(name, clicks, keys)
        began = time.time()
        act()
        acted = time.time()
        self.settle()
        ended = max(traffic.last_s, self.page.evaluate("() => globalThis.lastBusy") / 1000, acted)
        step.seconds = ended - began
        step.requests = traffic.requests - before[0]
        step.sent_bytes = traffic.sent_bytes - before[1]
        step.received_bytes = traffic.received_bytes - before[2]
        step.credits = before[3] - self.credits
        self.steps.append(step)
        return step

    def settle(self) -> None:
        """Return after a period without activity."""
        ends = time.time() + PATIENCE_S
        quiet_since = time.time()
        while time.time() - max(quiet_since, self.traffic.last_s) < QUIET_S:
            self.page.wait_for_timeout(50)
            if self.traffic.in_flight or self.page.evaluate("() => isBusy()"):
                quiet_since = time.time()
            if time.time() > ends:
                raise TimeoutError(f"The page is not done after {PATIENCE_S:.0f} s: {self.tally}")

    @property
    def tally(self) -> str:
        return self.page.locator("#tally").inner_text()

    @property
    def credits(self) -> int:
        """Credits left on the key."""
        account = httpx.get(f"{self.address}/v1/account", headers={"Authorization": f"Bearer {self.key}"})
        return int(account.raise_for_status().json()["credits"])

    def choose(self, name: str, value: str) -> None:
        """Click a pill by its label, since the input itself is hidden."""
        self.page.locator(f"label:has(input[name={name}][value={value}])").click()

    def choose_colour(self, colour: str) -> None:
        self.choose("background", "colour")
        self.page.locator("#colour").fill(colour)

    def choose_shadow(self, kind: str) -> None:
        menu = self.page.locator("select[name=shadow]")
        if menu.count():
            menu.select_option(kind)
        else:
            self.choose("shadow", kind)

    def download(self) -> None:
        with self.page.expect_download() as coming:
            self.page.locator("#download-all").click()
        coming.value.path()


def twenty(visit: Visit, photos: Sequence[Path]) -> list[Step]:
    """A shop owner's session. The name stands for the usual number of photos; any number works."""
    visit.step(f"{len(photos)} photos", lambda: visit.page.set_input_files("#pick", photos), clicks=2)
    visit.step("ready for Amazon", lambda: visit.choose("preset", "amazon"), clicks=1)
    visit.step("ready for eBay, too", lambda: visit.choose("preset", "ebay"), clicks=1)
    visit.step("for eBay alone", lambda: visit.choose("preset", "amazon"), clicks=1)
    visit.step("on light gray", lambda: visit.choose_colour(GRAY), clicks=2, keys=len(GRAY))
    visit.step("with a shadow", lambda: visit.choose_shadow("contact"), clicks=2)
    visit.step("download all", visit.download, clicks=1)
    return visit.steps


def hundred(visit: Visit, photos: Sequence[Path], profile: Path) -> list[Look]:
    """The list with many photos: first without results, since requests are held back, then with all results."""
    held: list[Route] = []

    is_open = False

    def hold(route: Route) -> None:
        if is_open:
            route.continue_()
        else:
            held.append(route)

    visit.page.route(PICTURES, hold)
    visit.page.set_input_files("#pick", photos)
    visit.page.locator(".card").nth(len(photos) - 1).wait_for(state="attached")
    visit.page.wait_for_timeout(1000 * QUIET_S + 50 * len(photos))  # time to draw the small pictures
    looks = [look(visit.page, profile, "no result is there")]
    is_open = True
    for route in held:
        route.continue_()
    visit.settle()
    looks.append(look(visit.page, profile, visit.tally))
    return looks


def look(page: Page, profile: Path, moment: str) -> Look:
    """Scroll down and up again, then measure the memory."""
    frames = scroll(page)
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    session.send("HeapProfiler.collectGarbage")
    figures = {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}
    session.detach()
    processes = processes_of(profile)
    return Look(
        moment,
        page.locator(".card").count(),
        int(figures["Nodes"]),
        figures["JSHeapUsedSize"] / 1e6,
        max(resident_mb(process) for process, command in processes.items() if "--type=renderer" in command),
        sum(map(resident_mb, processes)),
        frames,
    )


def processes_of(profile: Path) -> dict[int, str]:
    """The processes of the browser with this profile, with their command lines."""
    commands, parents = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            commands[int(folder.name)] = folder.joinpath("cmdline").read_bytes().replace(b"\0", b" ").decode()
            parents[int(folder.name)] = int(folder.joinpath("stat").read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has ended
            continue
    ours = {each for each, command in commands.items() if f"--user-data-dir={profile}" in command}
    while more := {each for each, parent in parents.items() if parent in ours} - ours:
        ours |= more
    return {each: commands[each] for each in ours}


def resident_mb(process: int) -> float:
    """Resident memory of a process, including shared pages; 0 if it has ended."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")) * 1024 / 1e6


def scroll(page: Page, px_a_second: int = 4000) -> Frames:
    """The times between frames while a swipe scrolls the whole list, down and up."""
    page.evaluate(_TO_TOP)
    page.wait_for_timeout(300)
    height = page.evaluate("() => document.documentElement.scrollHeight - innerHeight")
    session = page.context.new_cdp_session(page)
    page.evaluate(_FRAMES)
    for distance in (-height, height):
        gesture = {"x": 200, "y": 300, "yDistance": distance, "speed": px_a_second, "gestureSourceType": "touch"}
        session.send("Input.synthesizeScrollGesture", gesture)
    at = page.evaluate("() => { const all = globalThis.frames; globalThis.frames = null; return all; }")
    session.detach()
    return frames_of(at)


def frames_of(at_ms: Sequence[float]) -> Frames:
    """The figures of frames that were drawn at these times, in ms."""
    between = [later - earlier for earlier, later in itertools.pairwise(at_ms)]
    if len(between) < 2:
        raise ValueError("no frame was drawn while the list scrolled")
    return Frames(
        len(between),
        statistics.median(between),
        statistics.quantiles(between, n=20, method="inclusive")[-1],
        max(between),
        sum(each > LATE_MS for each in between) / len(between),
    )


def photos_from(folder: Path, count: int, target: Path) -> list[Path]:
    """`count` JPEG files in `target`, made from a folder's files in turn; each has different bytes."""
    sources = sorted(folder.glob("*.jp*g"))
    if not sources:
        raise SystemExit(f"{folder} holds no JPEG file.")
    made = []
    for number, source in zip(range(1, count + 1), itertools.cycle(sources)):
        data = source.read_bytes()
        words = f"photo {number}".encode()
        comment = b"\xff\xfe" + (len(words) + 2).to_bytes(2, "big") + words  # ISO/IEC 10918-1, B.2.4.5
        made.append(target / f"{source.stem}-{number:03}.jpg")
        made[-1].write_bytes(data[:2] + comment + data[2:])
    return made


@contextmanager
def chromium(profile: Path, width: int = 1440, height: int = 900) -> Iterator[Page]:
    """A tab of a browser with its profile on disk, as users have it: the page's stored data goes there."""
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            profile,
            executable_path=CHROMIUM,
            args=["--no-sandbox"],
            viewport={"width": width, "height": height},
            accept_downloads=True,
        )
        try:
            yield context.pages[0]
        finally:
            context.close()


def table(steps: Sequence[Step]) -> str:
    """The steps as Markdown, with their sum."""
    total = Step("**all**", *(sum(getattr(each, name) for each in steps) for name in list(asdict(steps[0]))[1:]))
    rows = ["| step | clicks | keys | s | requests | MB sent | MB received | credits |", "|---|" + "---:|" * 7]
    for each in [*steps, total]:
        sent, received = (count / 1e6 for count in (each.sent_bytes, each.received_bytes))
        counts = f"{each.clicks} | {each.keys} | {each.seconds:.1f} | {each.requests}"
        rows.append(f"| {each.name} | {counts} | {sent:.2f} | {received:.2f} | {each.credits} |")
    return "\n".join(rows)


def looks_table(looks: Sequence[Look]) -> str:
    """The looks as Markdown, one column for each."""
    rows = {
        "cards": [str(each.cards) for each in looks],
        "nodes of the document": [str(each.nodes) for each in looks],
        "JavaScript's heap, MB": [f"{each.heap_mb:.0f}" for each in looks],
        "the tab's process, MB": [f"{each.renderer_mb:.0f}" for each in looks],
        "all processes of the browser, MB": [f"{each.browser_mb:.0f}" for each in looks],
        "frames while scrolling": [str(each.frames.count) for each in looks],
        "median, ms": [f"{each.frames.median_ms:.1f}" for each in looks],
        "95th percentile, ms": [f"{each.frames.p95_ms:.1f}" for each in looks],
        "longest, ms": [f"{each.frames.longest_ms:.0f}" for each in looks],
        "over 33 ms": [f"{each.frames.late:.1%}" for each in looks],
    }
    head = [f"| the list | {' | '.join(each.moment for each in looks)} |", "|---|" + "---:|" * len(looks)]
    return "\n".join([*head, *(f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items())])


def main() -> None:
    asked = _options()
    if asked.source:
        os.environ["PYTHONPATH"] = str(asked.source.resolve() / "src")  # of the service's process
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        state, target, profile = (folder / part for part in ("state", "photos", "profile"))
        target.mkdir()
        photos = photos_from(asked.photos, asked.count or (100 if asked.hundred else 20), target)
        with replica(state, settings={"log_level": "warning"}) as service, chromium(profile, *asked.size) as page:
            visit = Visit(page, service.address, new_key(state, credit_count=100_000))
            visit.open()
            done: Sequence[Step | Look]
            if asked.hundred:
                done = looks = hundred(visit, photos, profile)
                print(looks_table(looks))
            else:
                done = steps = twenty(visit, photos)
                print(table(steps), f"\n\n{visit.tally}")
    if asked.json:
        asked.json.write_text(json.dumps([asdict(each) for each in done], indent=1) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.page", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--hundred", action="store_true", help="memory and frames of a long list instead of the session"
    )
    parser.add_argument("--photos", type=Path, default=EXAMPLES, help="a folder of JPEG files")
    parser.add_argument("--count", type=int, help="number of photos; by default 20, and 100 with --hundred")
    parser.add_argument("--size", type=int, nargs=2, default=(1440, 900), metavar=("W", "H"), help="window size, px")
    parser.add_argument("--source", type=Path, help="another checkout, to measure its service and page")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    return parser.parse_args()


if __name__ == "__main__":
    main()
