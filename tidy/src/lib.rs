//! Repository rules as a test.
