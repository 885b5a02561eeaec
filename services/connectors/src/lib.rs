//! Every outgoing HTTP call: one client builder, marketplaces, Google.
