//! Questions answered from tables.
