//! Names of warehouses, brands and subjects as a real cabinet shows them, so that a demo looks like a shop.

/// A Wildberries warehouse: id, name, region, whether it is in Russia, whether it takes bulky goods (СГТ).
pub(crate) type Place = (i64, &'static str, &'static str, bool, bool);

/// Since 2026-10-30 the page of the synchronous report knows no Russian warehouse that keeps its name under
/// the mask; before, Коледино did (release note 570).
pub(crate) const PLACES: &[Place] = &[
    (507, "Коледино", "Центральный", true, false),
    (120_762, "Электросталь", "Центральный", true, false),
    (117_986, "Казань", "Приволжский", true, false),
    (130_744, "Краснодар", "Южный + Северо-Кавказский", true, false),
    (206_236, "Белые Столбы", "Центральный", true, false),
    (204_939, "Астана Карагандинское шоссе", "Казахстан", false, false),
    (206_348, "Тула", "Центральный", true, false),
    (208_277, "Невинномысск", "Южный + Северо-Кавказский", true, false),
    (686, "Новосибирск", "Дальневосточный + Сибирский", true, false),
    (301_809, "Котовск", "Центральный", true, false),
    (1_733, "Екатеринбург - Испытателей 14г", "Уральский", true, false),
    (
        2_737,
        "Санкт-Петербург (Уткина Заводь)",
        "Северо-Западный",
        true,
        false,
    ),
    (
        300_571,
        "Екатеринбург - Перспективный 12",
        "Уральский",
        true,
        false,
    ),
    (117_501, "Подольск", "Центральный", true, false),
    (301_229, "Подольск 4", "Центральный", true, false),
    (303_295, "Рязань (Тюшевское)", "Центральный", true, false),
    (218_623, "Подольск 3", "Центральный", true, true),
    (218_987, "Алматы Атакент", "Казахстан", false, false),
    (300_862, "Минск", "Беларусь", false, false),
    (301_983, "Волгоград", "Южный + Северо-Кавказский", true, false),
    (302_335, "Кузнецк", "Приволжский", true, true),
    (300_168, "Радумля СГТ", "Центральный", true, true),
    (301_760, "Рязань СГТ", "Центральный", true, true),
    (302_856, "Владимир", "Центральный", true, false),
    (303_189, "Хабаровск", "Дальневосточный + Сибирский", true, false),
    (300_461, "Ташкент", "Узбекистан", false, false),
    (302_737, "Ереван", "Армения", false, false),
    (301_562, "Бишкек", "Кыргызстан", false, false),
    (206_968, "Чехов 1", "Центральный", true, false),
    (210_001, "Чехов 2", "Центральный", true, false),
    (211_622, "Минск Привольный", "Беларусь", false, false),
    (312_259, "Самара (Новосемейкино)", "Приволжский", true, false),
    (315_199, "Воронеж", "Центральный", true, false),
    (316_879, "Актобе", "Казахстан", false, false),
    (317_470, "Голицыно СГТ", "Центральный", true, true),
    (318_702, "Ярославль Громова", "Центральный", true, false),
    (321_932, "Пушкино СГТ", "Центральный", true, true),
    (322_111, "Сарапул", "Приволжский", true, false),
    (324_108, "Пенза", "Приволжский", true, false),
    (325_000, "Остальные", "Центральный", true, false),
];

/// Names of further warehouses of a large world: a town and a number.
pub(crate) const TOWNS: &[&str] = &[
    "Тверь",
    "Калуга",
    "Омск",
    "Пермь",
    "Уфа",
    "Брянск",
    "Ижевск",
    "Сочи",
];

pub(crate) const BRANDS: &[&str] = &[
    "Северный ветер",
    "ЛенТекс",
    "Домовёнок",
    "Cotton & Co",
    "Тёплый дом",
    "ВитаЛаб",
];

/// Subject id, subject, category.
pub(crate) const SUBJECTS: &[(u64, &str, &str)] = &[
    (105, "Платья", "Одежда"),
    (192, "Футболки", "Одежда"),
    (812, "Постельное белье", "Дом"),
    (1_574, "Коллаген", "Здоровье"),
    (321, "Рюкзаки", "Аксессуары"),
    (2_287, "Кружки", "Дом"),
    (400, "Носки", "Одежда"),
];

pub(crate) const COLOURS: &[&str] = &["красный", "чёрный", "белый", "синий", "зелёный"];

pub(crate) const SIZES: &[&str] = &["42", "44", "46", "48", "50", "52", "54", "56"];

/// Federal district and region of a buyer.
pub(crate) const BUYERS: &[(&str, &str)] = &[
    ("Центральный федеральный округ", "Московская"),
    ("Приволжский федеральный округ", "Республика Татарстан"),
    ("Сибирский федеральный округ", "Новосибирская"),
    ("Северо-Западный федеральный округ", "Санкт-Петербург"),
];

/// Pseudo-warehouses of the asynchronous report (contracts A.6 a).
pub(crate) const TO_CLIENT: &str = "В пути до получателей";
/// See [`TO_CLIENT`].
pub(crate) const FROM_CLIENT: &str = "В пути возвраты на склад WB";
/// See [`TO_CLIENT`].
pub(crate) const TOTAL: &str = "Всего находится на складах";

/// Names under masking differ by source (contracts A.6, "Masking").
pub(crate) const MASKED_SYNC: &str = "Склад WB";
/// Id of the masked row of the synchronous report.
pub(crate) const MASKED_ID: i64 = -999_999;
/// Masked name in the asynchronous report and in orders.
pub(crate) const MASKED_REMAINS: &str = "Склад WB РФ";
/// Masked name of bulky-goods warehouses in the asynchronous report.
pub(crate) const MASKED_REMAINS_BULKY: &str = "Склад WB СГТ РФ";
/// The warehouse that stays open and keeps its name whatever happens, so that there is always one.
pub(crate) const STEADY: &str = "Коледино";
