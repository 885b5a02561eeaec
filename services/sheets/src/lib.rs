//! Keeps every linked spreadsheet equal to the read model.
