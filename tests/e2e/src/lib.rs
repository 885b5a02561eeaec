//! Journeys and torture of the running system.
