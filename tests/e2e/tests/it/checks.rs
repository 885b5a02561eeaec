//! What must hold when all is quiet again, whatever was done before.

use database::{Pool, Role};
use event_store::GlobalReader;
use messaging::{Broker, BrokerOptions};
use serde_json::Value;
use support::{SOON, eventually};

use crate::program::tool;
use crate::seller::Seller;
use crate::world::World;

impl World {
    /// Waits until nothing is outstanding, everything is copied, projected and written.
    pub(crate) async fn wait_quiet(&self) {
        let admin = self.admin().await;
        eventually("no sync is outstanding", SOON * 4, || async {
            let row = admin
                .query_one(
                    "SELECT count(*) FROM core.cabinet_work WHERE sync_id IS NOT NULL",
                    &[],
                )
                .await
                .map_err(|error| error.to_string())?;
            match row.get::<_, i64>(0) {
                0 => Ok(()),
                left => Err(format!("{left} outstanding")),
            }
        })
        .await;
        eventually("the read models have read the whole log", SOON * 2, || async {
            let row = admin
                .query_one(
                    "SELECT (SELECT position FROM core.log_head), (SELECT position FROM rm_inventory.projection), \
                     (SELECT position FROM rm_operations.projection)",
                    &[],
                )
                .await
                .map_err(|error| error.to_string())?;
            let at: [i64; 3] = [row.get(0), row.get(1), row.get(2)];
            if at[0] == at[1] && at[0] == at[2] { Ok(()) } else { Err(format!("{at:?}")) }
        })
        .await;
    }

    /// Positions 1 to n without a gap, versions of every stream likewise, every command once.
    pub(crate) async fn assert_log_is_sound(&self) {
        let admin = self.admin().await;
        let row = admin
            .query_one(
                "SELECT count(*), max(position), (SELECT position FROM core.log_head), \
                 count(DISTINCT event_id) FROM core.events",
                &[],
            )
            .await
            .unwrap();
        let (events, last, head, ids): (i64, i64, i64, i64) =
            (row.get(0), row.get(1), row.get(2), row.get(3));
        assert_eq!(
            (events, events, events),
            (last, head, ids),
            "count, last, head and ids differ"
        );
        let broken = admin
            .query(
                "SELECT aggregate_type, aggregate_id FROM core.events GROUP BY 1, 2 \
                 HAVING count(*) <> max(sequence) OR min(sequence) <> 1",
                &[],
            )
            .await
            .unwrap();
        assert!(broken.is_empty(), "{} streams have gaps", broken.len());
    }

    /// The stream is the log, event by event, and nothing was given up.
    pub(crate) async fn assert_stream_is_the_log(&self) {
        let broker = Broker::connect(BrokerOptions::new(self.nats.url(), "e2e"))
            .await
            .unwrap();
        assert!(broker.wait_connected(SOON).await);
        let reader =
            GlobalReader::new(Pool::open(&self.database_url.clone().into(), Role::Relay, 2).unwrap());
        eventually("the stream equals the log", SOON * 2, || async {
            relay::verify(&broker, &reader)
                .await
                .map(drop)
                .map_err(|error| error.to_string())
        })
        .await;
        let letters = messaging::DeadLetters::new(&broker).list(0, 10).await.unwrap();
        assert!(letters.is_empty(), "{letters:?}");
    }

    /// Read models equal a rebuild, byte for byte.
    pub(crate) async fn assert_rebuild_changes_nothing(&self) {
        let before = self.dumps().await;
        let done = tool(&["rebuild", "all"], self.settings());
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let after = self.dumps().await;
        assert_eq!(before, after);
    }

    async fn dumps(&self) -> Vec<(i64, Vec<read_models::schema::TableDump>)> {
        let pool = Pool::open(&self.database_url.clone().into(), Role::Projector, 1).unwrap();
        let mut session = pool.get().await.unwrap();
        let mut dumps = Vec::new();
        for schema in ["rm_inventory", "rm_operations"] {
            dumps.push(read_models::schema::dump(&mut session, schema).await.unwrap());
        }
        dumps
    }

    /// The seller's products and sheet equal the marketplace's truth.
    pub(crate) async fn assert_truth(&self, seller: &Seller) {
        let truth = self.wildberries.truth(seller.sid, None).unwrap();
        let products = seller.products().await;
        let known = |nm_id: u64| {
            products
                .iter()
                .find(|product| product["marketplace_article"] == nm_id)
        };
        for card in truth.products.iter().filter(|card| card.listed) {
            let product = known(card.nm_id).unwrap_or_else(|| panic!("{} is missing", card.nm_id));
            let units: u64 = card.stock.values().chain(card.fbs.values()).sum();
            assert_eq!(product["total_stock"], units, "stock of {}", card.nm_id);
        }
        self.assert_sheet_equals(seller, &products);
    }

    /// Every row of the sheet: total equals the product's, and the sum of its warehouses.
    pub(crate) fn assert_sheet_equals(&self, seller: &Seller, products: &[Value]) {
        let grid = self.google.grid(&seller.sheet, "Products").unwrap();
        let headers = &grid[1];
        let column = |title: &str| headers.iter().position(|cell| cell == title).unwrap();
        let (article, total) = (column("Артикул товара (nmid)"), column("Остатки (всего)"));
        let mut rows = 0;
        for row in &grid[2..] {
            let Some(nm_id) = row.get(article).and_then(Value::as_f64) else {
                continue;
            };
            let product = products
                .iter()
                .find(|product| product["marketplace_article"].as_f64() == Some(nm_id));
            let Some(product) = product.filter(|product| product["delisted"] == false) else {
                continue;
            };
            rows += 1;
            assert_eq!(
                row[total].as_f64(),
                product["total_stock"].as_f64(),
                "total of {nm_id}"
            );
            let warehouses: f64 = headers
                .iter()
                .zip(row)
                .filter(|(title, _)| *title == "Остатки")
                .filter_map(|(_, cell)| cell.as_f64())
                .sum();
            assert_eq!(Some(warehouses), row[total].as_f64(), "warehouses of {nm_id}");
        }
        let listed = products
            .iter()
            .filter(|product| product["delisted"] == false)
            .count();
        assert_eq!(rows, listed, "rows of the sheet");
    }
}
