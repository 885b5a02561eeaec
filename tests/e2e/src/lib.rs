//! Nothing to use: the tests below `tests/` drive the built program from outside, as its users and its enemies do.
