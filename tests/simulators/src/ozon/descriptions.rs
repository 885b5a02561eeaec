//! What a product is: its attributes, the brand among them, and the tree of categories and types.
//!
//! Shapes: <https://docs.ozon.ru/api/seller/#operation/ProductAPI_GetProductAttributesV4> and
//! `#operation/DescriptionCategoryAPI_GetTree`; that `total` is a text and that a type is a leaf of the tree
//! with `type_id` and `type_name` and without a category of its own is from published answers.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::{Value, json};

use super::errors::invalid;
use super::names::{CATEGORIES, Category, GOODS};
use super::wire::{Asked, Dialect, Id, cursor, place};
use super::world::{Product, World};
use crate::server::{Answer, Call};

/// Most products of one page, and most ids of one kind.
const MOST: usize = 1000;
/// The attribute that names the type.
const TYPE: i64 = 8229;
/// Languages of the tree's names.
const LANGUAGES: [&str; 5] = ["DEFAULT", "RU", "EN", "TR", "ZH_HANS"];

#[derive(Deserialize)]
struct Request {
    #[serde(default)]
    filter: Filter,
    #[serde(default)]
    last_id: String,
    limit: Option<usize>,
}

#[derive(Deserialize, Default)]
struct Filter {
    #[serde(default)]
    offer_id: Vec<String>,
    #[serde(default)]
    product_id: Vec<Asked>,
    #[serde(default)]
    sku: Vec<Asked>,
}

/// `POST /v4/product/info/attributes`
pub(crate) fn attributes(world: &World, dialect: Dialect, call: &Call) -> Answer {
    let request: Request = match call.json() {
        Ok(request) => request,
        Err(error) => return invalid("GetProductAttributesV4Request", &error.to_string()),
    };
    let Some(limit) = request.limit.filter(|limit| (1..=MOST).contains(limit)) else {
        let what = "value must be inside range [1, 1000]";
        return invalid("GetProductAttributesV4Request.Limit", what);
    };
    let Some(after) = place(&request.last_id) else {
        return invalid("GetProductAttributesV4Request.LastId", "value is not a cursor");
    };
    let filter = &request.filter;
    let kinds = [filter.offer_id.len(), filter.product_id.len(), filter.sku.len()];
    if kinds.iter().any(|ids| *ids > MOST) {
        let what = "value must contain no more than 1000 items";
        return invalid("GetProductAttributesV4Request.Filter", what);
    }
    let numbers = |asked: &[Asked]| asked.iter().filter_map(Asked::number).collect::<HashSet<u64>>();
    let (ids, skus) = (numbers(&filter.product_id), numbers(&filter.sku));
    let asked = |product: &&Product| {
        let all = kinds == [0; 3] && !product.archived;
        all || ids.contains(&product.product_id)
            || skus.contains(&product.sku)
            || filter.offer_id.contains(&product.offer_id)
    };
    let found: Vec<&Product> = world.products.iter().filter(asked).collect();
    let rest = found.iter().filter(|product| product.product_id > after);
    let page: Vec<&Product> = rest.take(limit).copied().collect();
    let last = page.last().map_or(0, |product| product.product_id);
    let more = found.iter().any(|product| product.product_id > last);
    let result: Vec<Value> = page.iter().map(|product| described(product, dialect)).collect();
    Answer::json(
        200,
        &json!({
            "result": result, "total": found.len().to_string(),
            "last_id": if more { cursor(last) } else { String::new() },
        }),
    )
}

fn described(product: &Product, dialect: Dialect) -> Value {
    let value = |id: i64, text: &str| json!({"id": Id(id, dialect), "complex_id": 0, "values": [{"dictionary_value_id": 0, "value": text}]});
    let goods = product.goods();
    let brand = goods.map(|goods| value(goods.brand_attribute, product.brand()));
    let kind = goods.map(|goods| value(TYPE, goods.type_name));
    json!({
        "id": Id::of(product.product_id, dialect), "offer_id": product.offer_id, "name": product.name,
        "sku": Id::of(product.sku, dialect), "barcode": format!("OZN{}", product.sku),
        "barcodes": [format!("OZN{}", product.sku)],
        "description_category_id": Id(goods.map_or(0, |goods| goods.category.id), dialect),
        "type_id": Id(goods.map_or(0, |goods| goods.type_id), dialect),
        "height": 100, "depth": 200, "width": 150, "dimension_unit": "mm", "weight": 500, "weight_unit": "g",
        "primary_image": "", "images": [], "model_info": {"model_id": 0, "count": 1},
        "attributes": kind.into_iter().chain(brand).collect::<Vec<Value>>(), "complex_attributes": [],
        "attributes_with_defaults": [], "pdf_list": [],
    })
}

#[derive(Deserialize)]
struct TreeRequest {
    #[serde(default)]
    language: Option<String>,
}

/// `POST /v1/description-category/tree`
pub(crate) fn tree(dialect: Dialect, call: &Call) -> Answer {
    let request: TreeRequest = match call.json() {
        Ok(request) => request,
        Err(error) => return invalid("GetTreeRequest", &error.to_string()),
    };
    let language = request.language.as_deref().unwrap_or("DEFAULT");
    if !LANGUAGES.contains(&language) {
        return invalid("GetTreeRequest.Language", "value must be one of the languages");
    }
    let mut roots: Vec<(i64, &str)> = CATEGORIES
        .iter()
        .map(|category| (category.root_id, category.root))
        .collect();
    roots.sort_unstable();
    roots.dedup();
    let result: Vec<Value> = roots
        .iter()
        .map(|(id, name)| {
            let below = CATEGORIES.iter().filter(|category| category.root_id == *id);
            json!({
                "description_category_id": Id(*id, dialect), "category_name": name, "disabled": false,
                "children": below.map(|category| branch(category, dialect)).collect::<Vec<Value>>(),
            })
        })
        .collect();
    Answer::json(200, &json!({"result": result}))
}

fn branch(category: &Category, dialect: Dialect) -> Value {
    let types: Vec<Value> = GOODS
        .iter()
        .filter(|goods| goods.category.id == category.id)
        .map(|goods| {
            json!({
                "type_id": Id(goods.type_id, dialect), "type_name": goods.type_name, "disabled": false,
                "children": [],
            })
        })
        .collect();
    json!({
        "description_category_id": Id(category.id, dialect), "category_name": category.name, "disabled": false,
        "children": types,
    })
}
