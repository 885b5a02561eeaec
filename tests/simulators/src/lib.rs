//! Wildberries and Google as HTTP servers.
