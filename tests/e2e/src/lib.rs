//! Journeys and torture of the running system: the real program as child processes, real servers, simulated
//! marketplaces. Everything is in `tests/it`; this library is empty so that the tests have a crate to live
//! in.
