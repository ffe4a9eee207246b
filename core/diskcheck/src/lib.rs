//! The disk checker: does fsync work?.
