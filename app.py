"""The page: `make app`, or `streamlit run app.py`. It only says which pages there are."""

import streamlit as st

st.set_page_config("freqviz", "assets/icon.svg", layout="wide", initial_sidebar_state=330)
st.logo("assets/logo.svg", size="large")
st.navigation(
    {
        "Clip": [st.Page("pages/clip/poses_and_spectra.py", title="Poses and spectra", default=True)],
        "Inside": [
            st.Page("pages/inner/frame_weights.py", title="Frame weights and influence"),
            st.Page("pages/inner/blur_against_energy.py", title="Blur against energy"),
            st.Page("pages/inner/alignment.py", title="Alignment"),
            st.Page("pages/inner/motion.py", title="Motion"),
            st.Page("pages/inner/restored_frame.py", title="Restored frame"),
            st.Page("pages/inner/learned_filters.py", title="Learned filters"),
            st.Page("pages/inner/spectra.py", title="Spectra"),
            st.Page("pages/inner/heatmaps.py", title="Heatmaps"),
            st.Page("pages/inner/three_claims.py", title="Three claims"),
            st.Page("pages/inner/side_by_side.py", title="Side by side"),
            st.Page("pages/networks/networks.py", title="Networks"),
            st.Page("pages/networks/evidence.py", title="Evidence"),
        ],
        "Paper": [st.Page("pages/paper/figures.py", title="Paper figures")],
    },
    expanded=True,
).run()
