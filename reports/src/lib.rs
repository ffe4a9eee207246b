//! Run results as one self-contained page and as a terminal summary.
