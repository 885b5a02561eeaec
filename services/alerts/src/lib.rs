//! The alert policy: it folds the log into what is known of every product's stock and orders, asks the
//! `alert` aggregates at the end of every sync, and appends what changes. It reads events only, so the same
//! log always gives the same alerts, and a policy that starts anew repeats commands that the log answers as
//! duplicates.
