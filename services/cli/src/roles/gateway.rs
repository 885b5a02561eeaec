//! The role `gateway`.

use database::Role;
use gateway::Gateway;

use crate::Failure;
use crate::assembly::Assembly;

/// Answers commands and queries over NATS.
pub(crate) fn start(assembly: &Assembly) -> Result<(), Failure> {
    let pool = assembly.pool(Role::Gateway)?;
    let gateway = Gateway {
        app: assembly.app(pool.clone())?,
        pool,
        clock: assembly.clock.clone(),
    };
    let (broker, stop) = (assembly.broker.clone(), assembly.lifecycle.soft());
    assembly.lifecycle.spawn("gateway", async move {
        gateway.run(&broker, stop).await;
        Ok::<(), Failure>(())
    });
    Ok(())
}
