//! `/v1/products` and `/v1/prices`.

use serde_json::Value;

use super::errors::Refusal;
use super::form::Params;
use super::model::{Metadata, Price, Product};
use super::world::World;
use super::{lists, render};

/// Adds a product with one monthly price.
pub(crate) fn seed(world: &mut World, name: &str, price: &str, cents: i64) {
    let created = world.now;
    let product = world.id("prod_", 14);
    let row = Product {
        id: product.clone(),
        name: name.to_owned(),
        description: None,
        metadata: Metadata::new(),
        created,
        active: true,
        default_price: Some(price.to_owned()),
    };
    world.products.add(&product, row);
    let row = Price {
        id: price.to_owned(),
        product,
        currency: "usd".to_owned(),
        unit_amount: cents,
        interval: "month".to_owned(),
        interval_count: 1,
        lookup_key: None,
        nickname: None,
        metadata: Metadata::new(),
        created,
        active: true,
    };
    world.prices.add(price, row);
}

pub(crate) fn create_product(world: &mut World, params: &Params) -> Result<Value, Refusal> {
    params.allow(&[
        "id",
        "name",
        "description",
        "metadata[*]",
        "active",
        "tax_code",
        "unit_label",
        "url",
    ])?;
    let name = params.required("name")?.to_owned();
    let id = params.owned("id").unwrap_or_else(|| world.id("prod_", 14));
    if world.products.get(&id).is_some() {
        let text = format!("Product already exists with ID {id}.");
        return Err(Refusal::invalid(Some("id"), &text));
    }
    let product = Product {
        id: id.clone(),
        name,
        description: params.owned("description"),
        metadata: params.metadata("metadata")?,
        created: world.now,
        active: params.flag("active")?.unwrap_or(true),
        default_price: None,
    };
    let value = render::product(&product);
    world.products.add(&id, product);
    world.emit("product.created", value.clone(), None);
    Ok(value)
}

pub(crate) fn product(world: &World, id: &str, params: &Params) -> Result<Value, Refusal> {
    params.allow(&[])?;
    let product = world.products.get(id);
    product
        .map(render::product)
        .ok_or_else(|| Refusal::missing("product", id, "id"))
}

pub(crate) fn products(world: &World, params: &Params) -> Result<Value, Refusal> {
    let mut allowed = lists::COMMON.to_vec();
    allowed.push("active");
    params.allow(&allowed)?;
    let active = params.flag("active")?;
    let rows = world
        .products
        .iter()
        .rev()
        .filter(|product| active.is_none_or(|active| product.active == active))
        .map(|product| (product.id.as_str(), product.created, product));
    lists::page(params, "/v1/products", "product", rows, render::product)
}

pub(crate) fn create_price(world: &mut World, params: &Params) -> Result<Value, Refusal> {
    params.allow(&[
        "product",
        "currency",
        "unit_amount",
        "recurring[interval]",
        "recurring[interval_count]",
        "recurring[usage_type]",
        "lookup_key",
        "nickname",
        "metadata[*]",
        "active",
        "tax_behavior",
    ])?;
    let currency = params.required("currency")?.to_owned();
    let product = params.required("product")?.to_owned();
    if world.products.get(&product).is_none() {
        return Err(Refusal::missing("product", &product, "product"));
    }
    let unit_amount = params
        .integer("unit_amount")?
        .ok_or_else(|| Refusal::missing_parameter("unit_amount"))?;
    params.required("recurring[interval]")?;
    let words = ["month", "year", "week", "day"];
    let interval = params
        .word("recurring[interval]", &words)?
        .unwrap_or("month")
        .to_owned();
    let price = Price {
        id: world.id("price_1", 23),
        product,
        currency,
        unit_amount,
        interval,
        interval_count: params.quantity("recurring[interval_count]")?.unwrap_or(1),
        lookup_key: params.owned("lookup_key"),
        nickname: params.owned("nickname"),
        metadata: params.metadata("metadata")?,
        created: world.now,
        active: params.flag("active")?.unwrap_or(true),
    };
    let (id, value) = (price.id.clone(), render::price(&price));
    world.prices.add(&id, price);
    world.emit("price.created", value.clone(), None);
    Ok(value)
}

pub(crate) fn price(world: &World, id: &str, params: &Params) -> Result<Value, Refusal> {
    params.allow(&[])?;
    find_price(world, id, "id").map(render::price)
}

/// Changes what may be changed of a price; its amount may not.
pub(crate) fn update_price(world: &mut World, id: &str, params: &Params) -> Result<Value, Refusal> {
    params.allow(&["active", "nickname", "lookup_key", "metadata", "metadata[*]"])?;
    let mut price = find_price(world, id, "id")?.clone();
    params.merge_metadata("metadata", &mut price.metadata)?;
    price.active = params.flag("active")?.unwrap_or(price.active);
    price.nickname = params.owned("nickname").or(price.nickname);
    price.lookup_key = params.owned("lookup_key").or(price.lookup_key);
    let value = render::price(&price);
    if let Some(kept) = world.prices.get_mut(id) {
        *kept = price;
    }
    world.emit("price.updated", value.clone(), None);
    Ok(value)
}

pub(crate) fn find_price<'a>(world: &'a World, id: &str, param: &str) -> Result<&'a Price, Refusal> {
    world
        .prices
        .get(id)
        .ok_or_else(|| Refusal::missing("price", id, param))
}

/// A price that something new may be sold at.
pub(crate) fn active_price<'a>(world: &'a World, id: &str, param: &str) -> Result<&'a Price, Refusal> {
    let price = find_price(world, id, param)?;
    if price.active {
        return Ok(price);
    }
    let text = "The price specified is inactive. This field only accepts active prices.";
    Err(Refusal::invalid(Some(param), text))
}

pub(crate) fn prices(world: &World, params: &Params) -> Result<Value, Refusal> {
    let mut allowed = lists::COMMON.to_vec();
    allowed.extend(["active", "product", "currency", "type", "lookup_keys[*]"]);
    params.allow(&allowed)?;
    let (active, product) = (params.flag("active")?, params.text("product"));
    let keys = params.values("lookup_keys");
    let rows = world
        .prices
        .iter()
        .rev()
        .filter(|price| active.is_none_or(|active| price.active == active))
        .filter(|price| product.is_none_or(|product| price.product == product))
        .filter(|price| keys.is_empty() || price.lookup_key.as_deref().is_some_and(|key| keys.contains(&key)))
        .map(|price| (price.id.as_str(), price.created, price));
    lists::page(params, "/v1/prices", "price", rows, render::price)
}
