"""The GraphiQL page in a real browser: it runs from our own files alone, under its content security policy.

The API behind it is the real one, on the three real systems. Every other host is cut off.
"""

from contextlib import suppress
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page, expect

from api.settings import Settings
from tests.browser.conftest import opening
from tests.serving import Drafts, serving

expect.set_options(timeout=30_000)  # milliseconds; an answer takes what the machine has left
PICTURES = Path(__file__).parent.parent.parent / ".screenshots"

QUERY = ".graphiql-query-editor"
ANSWER = ".graphiql-response"
TRIES = 30  # to be told what may be written
PANE = ".graphiql-editor-tool .graphiql-editor:not(.hidden)"
PASTE = """text => {
    const clipboardData = new DataTransfer();
    clipboardData.setData("text/plain", text);
    const told = { clipboardData, bubbles: true, cancelable: true };
    document.activeElement.dispatchEvent(new ClipboardEvent("paste", told));
}"""


def test_opens_with_a_tab_for_each_example(opened: Page) -> None:
    expect(opened).to_have_title("plan-api")
    expect(opened.locator(".graphiql-tab")).to_contain_text(["Inbox", "Submit", "Approve"])
    expect(opened.get_by_text("You act as reviewer unless you set X-User-Id.")).to_be_visible()


def test_shows_the_answer_to_a_query(opened: Page) -> None:
    write_anew(opened, "Who", "{ viewer { id } }")
    run(opened)
    expect(opened.locator(ANSWER)).to_contain_text('"reviewer"')


def test_works_below_the_path_of_a_proxy(chromium: Browser, settings: Settings) -> None:
    reviewer = {"auth_default_user": "reviewer"}
    with serving(settings.model_copy(update=reviewer), below="/tools/plans") as api:
        url = str(api.client.base_url.join("/tools/plans/graphql"))
        with opening(chromium, url) as page:
            write_anew(page, "Who", "{ viewer { id } }")
            run(page)
            expect(page.locator(ANSWER)).to_contain_text('"reviewer"')


def test_runs_the_first_tab_as_it_is(opened: Page) -> None:
    """Pictures of before and after are kept, to be looked at: .screenshots/ in the project's folder."""
    PICTURES.mkdir(exist_ok=True)
    before = opened.screenshot(path=PICTURES / "graphiql-opened.png")
    run(opened)
    expect(opened.locator(ANSWER)).to_contain_text('"pendingTasks"')
    expect(opened.locator(ANSWER)).not_to_contain_text('"errors"')
    after = opened.screenshot(path=PICTURES / "graphiql-answered.png")
    assert min(len(before), len(after)) > 30_000, "a page that shows nothing is a small picture"
    assert before != after


def test_sends_the_headers_of_the_headers_pane(opened: Page) -> None:
    write_anew(opened, "Who", "{ viewer { id } }")
    opened.get_by_role("button", name="Headers", exact=True).click()
    write(opened, opened.locator(PANE), '{ "X-User-Id": "somebody-else" }')
    run(opened)
    expect(opened.locator(ANSWER)).to_contain_text('"somebody-else"')
    opened.get_by_role("button", name="Show History").click()
    expect(opened.locator(".graphiql-history-item")).to_have_count(1)
    assert "somebody-else" not in opened.evaluate("JSON.stringify(localStorage)"), "headers may carry tokens"


def test_shows_the_digits_of_the_answer(opened: Page, drafts: Drafts) -> None:
    odd = '{"resourceType": "InsurancePlan", "name": "P", "a": 1500.00, "b": 9007199254740993, "c": 1e2, "d": 7}'
    draft_id = drafts.new(plan=odd, author="reviewer")
    write_anew(opened, "Digits", f'{{ draft(id: "{draft_id}") {{ planData }} }}')
    run(opened)
    for shown in ('"a": 1500.00,', '"b": 9007199254740993,', '"d": 7'):
        expect(opened.locator(ANSWER)).to_contain_text(shown)


def test_shows_what_is_wrong_with_a_query(opened: Page) -> None:
    write_anew(opened, "Nobody", "{ nobody }")
    run(opened)
    expect(opened.locator(ANSWER)).to_contain_text("nobody")
    expect(opened.locator(f"{QUERY} .squiggly-error").first).to_be_visible()


def test_the_explorer_writes_a_query(opened: Page) -> None:
    opened.get_by_role("button", name="New tab").click()
    opened.get_by_role("button", name="Show GraphiQL Explorer").click()
    opened.locator(".graphiql-explorer-root").get_by_text("viewer", exact=True).click()
    expect(opened.locator(QUERY)).to_contain_text("viewer")


def test_the_reference_shows_the_schema(opened: Page) -> None:
    opened.get_by_role("button", name="Show Documentation Explorer").click()
    expect(opened.locator(".graphiql-doc-explorer")).to_contain_text("Query")


def test_completes_field_names(opened: Page) -> None:
    write(opened, opened.locator(QUERY), "{ vie }")
    for _ in range(2):
        opened.keyboard.press("ArrowLeft")
    suggested = opened.locator(".suggest-widget")
    for _ in range(TRIES):  # asked before the page has read the schema, it suggests nothing and does not look again
        opened.keyboard.press("Control+Space")
        with suppress(AssertionError):
            expect(suggested).to_contain_text("viewer", timeout=1_000)
            break
        opened.keyboard.press("Escape")
    expect(suggested).to_contain_text("viewer")


def test_lays_out_query_and_variables(opened: Page) -> None:
    write(opened, opened.locator(QUERY), "query Who{viewer{id}}")
    opened.get_by_role("button", name="Variables", exact=True).click()
    variables = opened.locator(PANE)
    write(opened, variables, '{"one":1}')
    opened.get_by_role("button", name="Prettify query").click()
    expect(opened.locator(f"{QUERY} .view-line")).to_have_count(6)
    expect(variables.locator(".view-line")).to_have_count(3)


def write(page: Page, pane: Locator, text: str) -> None:
    """Replace what a pane says. Pasted, because the editor closes each bracket that is typed."""
    pane.locator(".view-lines").click()
    page.keyboard.press("Control+A")
    page.evaluate(PASTE, text)


def write_anew(page: Page, name: str, selection: str) -> None:
    """An operation in a tab of its own. Until the page has read it, it asks for the one that stood there before.

    It names the tab after the operation in the same moment.
    """
    page.get_by_role("button", name="New tab").click()
    write(page, page.locator(QUERY), f"query {name} {selection}")
    expect(page.locator(".graphiql-tab-active")).to_contain_text(name)


def run(page: Page) -> None:
    """Press the round button."""
    page.get_by_role("button", name="Execute query").click()
