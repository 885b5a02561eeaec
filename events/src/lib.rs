//! What happened, in every version ever written.
