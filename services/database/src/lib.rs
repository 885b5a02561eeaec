//! Pools, roles, tenant-scoped transactions, migrations.
