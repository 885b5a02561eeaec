//! The rules of the workspace as tests.
