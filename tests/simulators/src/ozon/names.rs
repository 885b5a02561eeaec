//! Names of warehouses, clusters and goods as a real cabinet shows them.

/// A cluster: id and name.
pub(crate) const CLUSTERS: &[(i64, &str)] = &[
    (154, "Москва, МО и Дальние регионы"),
    (2, "Санкт-Петербург и СЗО"),
    (16, "Казань"),
    (17, "Ростов"),
    (144, "Екатеринбург"),
    (146, "Новосибирск"),
    (7, "Дальний Восток"),
];

/// A warehouse: id, name, index of its cluster. Ids pass 2^32, as in reality.
pub(crate) const PLACES: &[(i64, &str, usize)] = &[
    (1_020_000_115_166_000, "ЖУКОВСКИЙ_РФЦ", 0),
    (18_044_249_781_000, "ХОРУГВИНО_РФЦ", 0),
    (23_843_917_228_000, "САНКТ_ПЕТЕРБУРГ_РФЦ", 1),
    (18_044_570_445_000, "Казань_РФЦ_НОВЫЙ", 2),
    (22_655_170_176_000, "РОСТОВ_НА_ДОНУ_РФЦ", 3),
    (18_044_338_152_000, "ЕКАТЕРИНБУРГ_РФЦ_НОВЫЙ", 4),
    (18_044_494_644_000, "НОВОСИБИРСК_РФЦ_НОВЫЙ", 5),
    (1_020_000_091_028_000, "ХАБАРОВСК_2_РФЦ", 6),
    (1_020_000_123_456_000, "ПУШКИНО_1_РФЦ", 0),
    (1_020_000_234_567_000, "САМАРА_РФЦ", 2),
];

/// Towns for the warehouses after those.
pub(crate) const TOWNS: &[&str] = &[
    "ТВЕРЬ",
    "СОФЬИНО",
    "ДОМОДЕДОВО",
    "ПЕТРОВСКОЕ",
    "НЕВИННОМЫССК",
    "АДЫГЕЙСК",
];

/// A branch of the tree of categories: the two names above its types.
pub(crate) struct Category {
    pub(crate) root_id: i64,
    pub(crate) root: &'static str,
    pub(crate) id: i64,
    pub(crate) name: &'static str,
}

/// A kind of goods: what its titles begin with, its type in the tree, and who makes it.
pub(crate) struct Goods {
    pub(crate) title: &'static str,
    pub(crate) type_id: i64,
    pub(crate) type_name: &'static str,
    pub(crate) category: &'static Category,
    /// The attribute that carries the brand: clothes and shoes have one of their own.
    pub(crate) brand_attribute: i64,
    pub(crate) brands: &'static [&'static str],
}

/// `Бренд`, of most types.
pub(crate) const BRAND: i64 = 85;
/// `Бренд в одежде и обуви`.
pub(crate) const BRAND_OF_CLOTHES: i64 = 31;

const TOOLS: Category = Category {
    root_id: 17_027_494,
    root: "Строительство и ремонт",
    id: 17_028_640,
    name: "Ручной инструмент",
};
const SAFETY: Category = Category {
    root_id: 17_027_494,
    root: "Строительство и ремонт",
    id: 17_028_650,
    name: "Средства индивидуальной защиты",
};
const KITCHEN: Category = Category {
    root_id: 15_621_031,
    root: "Бытовая техника",
    id: 17_031_663,
    name: "Техника для кухни",
};
const BAGS: Category = Category {
    root_id: 17_027_904,
    root: "Галантерея и аксессуары",
    id: 17_028_752,
    name: "Сумки и рюкзаки",
};
const TEXTILES: Category = Category {
    root_id: 17_027_492,
    root: "Дом и сад",
    id: 17_028_741,
    name: "Домашний текстиль",
};
const LIGHT: Category = Category {
    root_id: 17_027_492,
    root: "Дом и сад",
    id: 17_028_702,
    name: "Освещение",
};
const DISHES: Category = Category {
    root_id: 17_027_492,
    root: "Дом и сад",
    id: 17_028_730,
    name: "Посуда",
};
const FITNESS: Category = Category {
    root_id: 17_027_484,
    root: "Спорт и отдых",
    id: 17_028_689,
    name: "Фитнес и йога",
};
const CLOTHES: Category = Category {
    root_id: 15_621_032,
    root: "Одежда",
    id: 17_031_600,
    name: "Футболки и топы",
};

/// All branches.
pub(crate) const CATEGORIES: &[&Category] = &[
    &TOOLS, &SAFETY, &KITCHEN, &BAGS, &TEXTILES, &LIGHT, &DISHES, &FITNESS, &CLOTHES,
];

const fn goods(
    title: &'static str,
    (type_id, type_name): (i64, &'static str),
    category: &'static Category,
    brand_attribute: i64,
    brands: &'static [&'static str],
) -> Goods {
    Goods {
        title,
        type_id,
        type_name,
        category,
        brand_attribute,
        brands,
    }
}

/// Goods. `Нет бренда` is a value of the vendor's own list.
pub(crate) const GOODS: &[Goods] = &[
    goods(
        "Очки защитные",
        (92_912, "Очки защитные"),
        &SAFETY,
        BRAND,
        &["РОСОМЗ", "Исток"],
    ),
    goods(
        "Чайник электрический",
        (94_765, "Чайник электрический"),
        &KITCHEN,
        BRAND,
        &["Redmond", "Polaris", "Kitfort"],
    ),
    goods(
        "Рюкзак городской",
        (93_103, "Рюкзак"),
        &BAGS,
        BRAND,
        &["Grizzly", "Torber", "Нет бренда"],
    ),
    goods(
        "Набор отвёрток",
        (92_850, "Набор отверток"),
        &TOOLS,
        BRAND,
        &["Зубр", "Matrix", "Вихрь"],
    ),
    goods(
        "Плед флисовый",
        (92_606, "Плед"),
        &TEXTILES,
        BRAND,
        &["Cleo", "Павлинка"],
    ),
    goods(
        "Лампа настольная",
        (92_419, "Светильник настольный"),
        &LIGHT,
        BRAND,
        &["ЭРА", "Gauss", "Нет бренда"],
    ),
    goods(
        "Кружка керамическая",
        (92_499, "Кружка"),
        &DISHES,
        BRAND,
        &["Дулёвский фарфор", "Elan Gallery"],
    ),
    goods(
        "Коврик для йоги",
        (93_417, "Коврик для йоги"),
        &FITNESS,
        BRAND,
        &["Atemi", "Bradex"],
    ),
    goods(
        "Футболка хлопковая",
        (93_244, "Футболка"),
        &CLOTHES,
        BRAND_OF_CLOTHES,
        &["Твое", "Oodji", "Нет бренда"],
    ),
];
