"""Does the cursor stay where it was put, whatever a browser says that has not heard of it yet?"""

import pytest
from streamlit.testing.v1 import AppTest

from freqviz.web import cursors


def page():
    import numpy as np
    import streamlit as st

    from freqviz.clip import Clip
    from freqviz.web.cursors import go_to, slider

    for number in (10, 19, 7, 99):
        st.button(f"To {number}", key=str(number), on_click=go_to, args=(number,))
    clip = Clip.from_frames([np.zeros((4, 4, 3), np.uint8)] * st.session_state.get("count", 20))
    st.caption(f"Frame {slider(clip, st.container())}")


@pytest.fixture
def app():
    return AppTest.from_function(page, default_timeout=30).run()


def shown(app):
    """The frame that the page shows; its slider must say the same."""
    (said,) = (int(one.value.split()[1]) for one in app.caption)
    assert app.slider(key="frame").value == said
    return said


def say(app, number):
    """A message of a browser whose slider shows this frame."""
    return shown(app.slider(key="frame").set_value(number).run())


def test_a_person_moves_the_slider_as_often_as_one_likes(app):
    assert [say(app, number) for number in (3, 0, 3, 5, 3)] == [3, 0, 3, 5, 3]


def test_a_slider_that_lags_does_not_take_the_cursor_back(app):
    assert say(app, 4) == 4
    assert shown(app.button(key="10").click().run()) == 10
    assert say(app, 4) == 10
    assert say(app, 4) == 10, "as often as it lags"


def test_of_two_moves_the_second_holds_whichever_frame_a_slider_still_shows(app):
    say(app, 4)
    app.button(key="10").click().run()
    assert shown(app.button(key="19").click().run()) == 19
    assert say(app, 4) == 19
    assert say(app, 10) == 19
    assert shown(app.button(key="10").click().run()) == 10, "back to a frame that was shown before"
    assert say(app, 19) == 10
    assert say(app, 4) == 10


def test_a_move_told_by_a_slider_that_lags_counts_both_frames_as_before(app):
    say(app, 4)
    app.button(key="10").click().run()
    app.slider(key="frame").set_value(4)  # the message of the second move still has it
    assert shown(app.button(key="7").click().run()) == 7
    assert say(app, 4) == 7
    assert say(app, 10) == 7


def test_another_frame_than_those_before_is_a_persons(app):
    say(app, 4)
    app.button(key="10").click().run()
    assert say(app, 11) == 11
    assert say(app, 4) == 4, "from then on so is every frame"


def test_a_slider_that_has_heard_may_go_back(app):
    say(app, 4)
    app.button(key="10").click().run()
    assert say(app, 10) == 10
    assert say(app, 4) == 4


def test_a_while_after_the_answer_the_frame_before_is_a_persons(app, monkeypatch):
    say(app, 4)
    app.button(key="10").click().run()
    monkeypatch.setattr(cursors, "LAG", 0.0)
    assert say(app, 4) == 4


def test_a_move_beyond_the_clip_ends_at_its_edge(app):
    assert shown(app.button(key="99").click().run()) == 19
    app.session_state["count"] = 8  # another clip, which has no such frame
    assert shown(app.run()) == 7
    app.session_state["count"] = 1
    assert [one.value for one in app.run().caption] == ["Frame 0"]
    assert not app.slider
