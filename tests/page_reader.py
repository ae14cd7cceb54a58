"""Reads a report page as a program would: tags, attributes, text."""

from html.parser import HTMLParser

from orchestrator.report import build_report

CREATED = "2026-01-01 00:00 UTC"
VOID = {"meta", "link", "img", "br", "input", "hr"}


class Page(HTMLParser):
    """Checks that tags nest, and collects attributes and text."""

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.texts = [], [], []
        self.feed(html)
        assert self.open == [], f"unclosed: {self.open}"

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("script", "style"):
            self.texts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())


def build(store, name="study"):
    """Returns the page and the summary of an experiment."""
    paths = build_report(store, name, CREATED)
    return Page(store.read_bytes(paths.index).decode()), store.read_json(paths.summary)
