//! The seller's spreadsheet during the year: the sheets role writes it after each sync while a second person
//! works in it, and at every comparison each cell has to be the marketplace's number.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use application::{App, Context, link_sheet};
use chrono::TimeDelta;
use connectors::google::{Accounts, SheetsOptions as GoogleOptions, TokenHosts};
use connectors::http::{HttpClient, NoObserver};
use database::{Pool, Role};
use events::ids::TenantId;
use messaging::Broker;
use runtime::Clock;
use secrecy::SecretString;
use sheets::{GoogleMeans, Sheets, SheetsOptions};
use simulators::google::{Quotas, Role as Sharing};
use simulators::{Google, GoogleConfig, Ledger};
use uuid::Uuid;
use vault::{MasterKeys, Vault};

use crate::Failure;
use crate::counts::{orders, total};
use crate::page::{Page, STOCK, TOTALS};
use crate::person::Person;

/// Bursts are over after two seconds of quiet.
const QUIET: TimeDelta = TimeDelta::seconds(3);
/// Longer than a refused or failed write waits at first.
const PATIENCE: TimeDelta = TimeDelta::seconds(400);
/// Rounds until a sheet that was touched has to be right.
const ROUNDS: u32 = 4;

/// The linked spreadsheet, the role that writes it and the person beside it.
pub(crate) struct Sheet {
    google: Google,
    role: Sheets,
    spreadsheet: String,
    tenant_id: TenantId,
    pub(crate) person: Person,
}

impl Sheet {
    /// Makes a spreadsheet, links it and starts the role on the year's clock.
    pub(crate) async fn open(
        url: &SecretString,
        broker: &Broker,
        clock: &Clock,
        seed: u64,
        (app, context): (&App, &Context),
    ) -> Result<Self, Failure> {
        let google = Google::start(GoogleConfig {
            service_accounts: 1,
            quotas: Quotas::off(),
            ..GoogleConfig::default()
        })
        .await?;
        let account = google.service_account_email(0);
        let spreadsheet = google.create_spreadsheet("Остатки", &[(&account, Sharing::Writer)]);
        let input = link_sheet::Input {
            spreadsheet_id: spreadsheet.clone(),
            worksheet: link_sheet::DEFAULT_WORKSHEET.to_owned(),
            service_account: None,
        };
        link_sheet::execute(app, context, input).await?;
        let means = GoogleMeans {
            http: HttpClient::new(Arc::new(NoObserver))?,
            options: GoogleOptions {
                sheets_url: google.base_url(),
                drive_url: google.base_url(),
                patience: Duration::from_secs(5),
            },
            accounts: Arc::new(Accounts::new(50, 100_000.0)),
            token_hosts: TokenHosts::Any,
            service_account: Some(google.service_account_json().into()),
        };
        let pool = Pool::open(url, Role::Sheets, 4)?;
        let vault = Vault::new(pool.clone(), MasterKeys::parse(&MasterKeys::generate()?)?);
        let instance = Uuid::from_u128(u128::from(seed) + 1);
        let options = SheetsOptions::new(pool, broker.clone(), vault, clock.clone(), means, instance);
        Ok(Self {
            role: Sheets::new(options),
            person: Person::new(seed),
            tenant_id: context.tenant_id,
            google,
            spreadsheet,
        })
    }

    /// The person may do something, and what is due is written. `pass` lets time go on.
    pub(crate) async fn round(&mut self, head: i64, pass: impl Fn(TimeDelta)) -> Result<(), Failure> {
        if self.person.comes_by()
            && let Ok(page) = Page::open(&self.google, &self.spreadsheet)
        {
            self.person.act(&self.google, &page)?;
        }
        self.write(head, pass).await.map(drop)
    }

    async fn write(&self, head: i64, pass: impl Fn(TimeDelta)) -> Result<sheets::Round, Failure> {
        while self
            .role
            .catch_up_once()
            .await?
            .is_some_and(|position| position < head)
        {}
        pass(QUIET);
        Ok(self.role.write_due_once().await?)
    }

    /// Refreshes the sheet until a round leaves nothing to do.
    pub(crate) async fn settle(&self, head: i64, pass: impl Fn(TimeDelta)) -> Result<(), Failure> {
        let question = sheets::wire::Sync {
            tenant_id: self.tenant_id,
        };
        let mut last = sheets::Round::default();
        for _ in 0..ROUNDS {
            pass(PATIENCE);
            let asked = self.role.sync(question.clone()).await;
            asked.map_err(|problem| format!("{problem:?}"))?;
            last = self.write(head, &pass).await?;
            if last.batches == 0 && last.failed == 0 {
                return Ok(());
            }
        }
        Err(format!("the sheet is never done: {last:?}; {:?}", self.person.done).into())
    }

    /// Every listed product has one row, and every number in it is the marketplace's; what the person wrote
    /// stands. Returns how many cells were compared.
    pub(crate) fn compare(&self, ledger: &Ledger) -> Result<usize, Failure> {
        let page = Page::open(&self.google, &self.spreadsheet)?;
        let texts = page.texts("own ");
        if texts != self.person.own {
            return Err(format!("the person wrote {:?}, and there is {texts:?}", self.person.own).into());
        }
        let (stock, ordered) = (ledger.stock(), orders(ledger));
        let mut cells = 0;
        for product in ledger.listed() {
            let article = product.article;
            let rows = page.rows.get(&article).map_or(&[][..], Vec::as_slice);
            let &[row] = rows else {
                let there = page.anywhere(article);
                return Err(format!("rows of {article}: {rows:?}; {there:?}; {:?}", self.person.done).into());
            };
            let units = stock.get(&article).cloned().unwrap_or_default();
            let [available, to_client, from_client] = total(&units);
            let orders = ordered.get(&article).map_or(0, |ordered| total(ordered)[0]);
            let turnover = measures::turnover(available, orders).map(|tenths| tenths.0);
            for (title, wanted) in [
                ("В пути до покупателя", Some(to_client * 10)),
                ("В пути конв. на склад WB", Some(from_client * 10)),
                ("Заказы (всего)", Some(orders * 10)),
                ("Остатки (всего)", Some(available * 10)),
                ("Оборачиваемость (дни)", turnover),
            ] {
                let shown = page.tenths(row, TOTALS, title)?;
                if shown.unwrap_or(0) != wanted.unwrap_or(0) {
                    return Err(
                        format!("{title} of {article}: {shown:?} tenths, and it is {wanted:?}").into(),
                    );
                }
                cells += 1;
            }
            let wanted = non_zero(units.values().map(|units| units[0] * 10));
            let columns = page.warehouses().map(|group| page.tenths(row, group, STOCK));
            let shown = columns.collect::<Result<Vec<_>, _>>()?;
            cells += shown.len();
            let shown = non_zero(shown.into_iter().flatten());
            if shown != wanted {
                return Err(format!("{STOCK} of {article}: {shown:?} tenths, and it is {wanted:?}").into());
            }
        }
        let listed: BTreeMap<i64, ()> = ledger.listed().map(|product| (product.article, ())).collect();
        match page.rows.keys().find(|article| !listed.contains_key(article)) {
            Some(ghost) => Err(format!("{ghost} has a row and is not listed").into()),
            None => Ok(cells),
        }
    }
}

fn non_zero(numbers: impl Iterator<Item = i64>) -> Vec<i64> {
    let mut numbers: Vec<i64> = numbers.filter(|number| *number != 0).collect();
    numbers.sort_unstable();
    numbers
}
