//! How rows look as a sheet: cells, formats, differences.
