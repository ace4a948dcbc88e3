"""Light or dark: what figures are drawn for, and a new run where the theme changes while the page is open.

Streamlit tells the server of another theme only with the next run, which it does not ask for (its issue 15287); a
system that goes dark in the evening would leave dark words on a dark ground.
"""

import streamlit as st

WATCH = """// A new run where the ground of the page is no longer what the figures were drawn for.
export default function ({ data, setTriggerValue }) {
  const app = document.querySelector(".stApp");
  const change = new MutationObserver(() => {
    const light = getComputedStyle(app).backgroundColor.match(/\\d+/g).slice(0, 3).some((level) => level > 127);
    if (light === data.dark) setTriggerValue("changed", light);
  });
  change.observe(app, { attributeFilter: ["class"] });
  return () => change.disconnect();
}
"""
_component = st.components.v2.component("freqviz_theme", js=WATCH)


def is_dark() -> bool:
    """Whether the page has a dark ground."""
    return st.context.theme.type == "dark"


def watch() -> None:
    """Run the whole script again once the theme has changed; call it outside of fragments."""
    with st.container(key="theme"):
        _component(key="theme watch", data={"dark": is_dark()}, on_changed_change=lambda: None)
