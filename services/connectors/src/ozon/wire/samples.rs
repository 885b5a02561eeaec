//! Answers from the vendor's documentation and from live callers, with made-up ids.

pub(in crate::ozon) const LIST: &str = r#"{"result":{"items":[{"product_id":1100001,"offer_id":"ART-1","sku":800000001,
    "has_fbo_stocks":true,"has_fbs_stocks":false,"archived":false,"is_discounted":false,"quants":[]}],
    "total":1,"total_items":1,"last_id":"WzExMDAwMDEsMTEwMDAwMV0="}}"#;

pub(in crate::ozon) const INFO: &str = r#"{"items":[{"id":1100001,"name":"Товар","offer_id":"ART-1","sku":800000001,
    "is_archived":false,"is_autoarchived":false,"barcodes":["OZN800000001"],"description_category_id":17000001,
    "type_id":92912,"created_at":"2024-06-04T09:35:44.934722Z","updated_at":"2026-09-01T10:00:00Z",
    "currency_code":"RUB","price":"273.00","old_price":"399.00","min_price":"","vat":"0.20",
    "sources":[{"sku":800000001,"source":"sds","created_at":"2024-06-04T09:35:44Z",
    "shipment_type":"SHIPMENT_TYPE_GENERAL","quant_code":""}],
    "stocks":{"has_stock":true,"stocks":[{"present":20,"reserved":1,"sku":800000001,"source":"fbo"}]},
    "visibility_details":{"has_price":true,"has_stock":true},"primary_image":[],"images":[]}]}"#;

pub(in crate::ozon) const STOCKS: &str = r#"{"items":[{"sku":800000001,"offer_id":"ART-1","name":"Товар",
    "warehouse_id":1020000000000123,"warehouse_name":"ЖУКОВСКИЙ_РФЦ","cluster_id":154,
    "cluster_name":"Москва, МО и Дальние регионы","macrolocal_cluster_id":4007,"placement_zone":["SORT"],
    "item_tags":["NOVEL"],"available_stock_count":40,"valid_stock_count":5,"waiting_docs_stock_count":0,
    "waiting_docs_to_export_stock_count":0,"expiring_stock_count":0,"excess_stock_count":0,"other_stock_count":3,
    "requested_stock_count":100,"transit_stock_count":30,"transit_defect_stock_count":0,"stock_defect_stock_count":0,
    "return_from_customer_stock_count":2,"return_to_seller_stock_count":0,"inbound_replenishment":0,
    "outbound_pending_delivery":6,"stock_not_being_sold":1,"ads":0.6666666666666666,"ads_cluster":0.5,"idc":60,
    "idc_cluster":null,"days_without_sales":1,"days_without_sales_cluster":2,"turnover_grade":"ACTUAL",
    "turnover_grade_cluster":"DEFICIT"},
    {"sku":800000001,"offer_id":"ART-1","name":"Товар","warehouse_id":0,"warehouse_name":"","cluster_id":154,
    "cluster_name":"Москва, МО и Дальние регионы","available_stock_count":40,"valid_stock_count":5,
    "waiting_docs_stock_count":0,"expiring_stock_count":0,"excess_stock_count":0,"other_stock_count":3,
    "requested_stock_count":100,"transit_stock_count":30,"transit_defect_stock_count":0,"stock_defect_stock_count":0,
    "return_from_customer_stock_count":2,"return_to_seller_stock_count":0,"ads_cluster":0.5}]}"#;

pub(in crate::ozon) const WAREHOUSES: &str = r#"{"cursor":"","has_next":false,"warehouses":[{"warehouse_id":22142605386000,
    "name":"Мой склад","status":"created","is_rfbs":false,"is_kgt":false,"warehouse_type":"",
    "first_mile":{"type":"DROP_OFF"},"working_days":["MONDAY"],"postings_limit":-1}]}"#;

pub(in crate::ozon) const FBS: &str = r#"{"cursor":"","has_next":false,"products":[{"free_stock":4,"offer_id":"ART-1",
    "present":5,"product_id":1100001,"reserved":1,"sku":800000001,"warehouse_id":22142605386000,
    "warehouse_name":"Мой склад"}]}"#;

pub(in crate::ozon) const FBO_POSTINGS: &str = r#"{"postings":[{"order_id":123456789,"order_number":"12345-1",
    "posting_number":"42776709-0200-5","status":"awaiting_packaging","substatus":"posting_created",
    "cancel_reason_id":0,"created_at":"2026-02-08T13:56:07.751Z","in_process_at":"2026-02-08T13:56:07.751Z",
    "legal_info":{"company_name":"x","inn":"1","kpp":"2"},
    "products":[{"sku":123456,"name":"Телефон","quantity":1,"offer_id":"SM-A54","price":"29990.00","currency":"RUB",
    "digital_codes":[]},{"sku":789012,"name":"Чехол","quantity":2,"offer_id":"CASE","price":"890.00",
    "currency":"RUB","digital_codes":[]}],"analytics_data":{"city":"Москва","delivery_type":"courier",
    "is_premium":false,"warehouse_id":123,"warehouse_name":"ХОРУГВИНО_РФЦ","is_legal":false},
    "financial_data":{"products":[],"cluster_from":"Москва","cluster_to":"Казань"}}],
    "cursor":"eyJpdiI6IjUzUUhVeDlGZ0p3PT0iLCJ2YWx1ZSI6IlVxIn0=","has_next":true}"#;

pub(in crate::ozon) const FBS_POSTINGS_WRAPPED: &str = r#"{"result":{"postings":[{"posting_number":"0208245774-0029-1",
    "order_id":"33301885134","order_number":"0208245774-0029","status":"delivering",
    "delivery_method":{"id":"20605650762000","name":"Ozon, Софьино","warehouse_id":"20605650762000",
    "warehouse":"17023","tpl_provider_id":"24"},"in_process_at":"2025-12-19T05:50:26.000Z",
    "delivering_date":"2025-12-20T05:50:26.000Z","customer":null,
    "products":[{"price":"1200.0000","offer_id":"b4408110","name":"Сумка","sku":"1904686181","quantity":1,
    "currency_code":"RUB","imei":[]}],"addressee":null,
    "analytics_data":{"region":"","city":"","warehouse_id":"20605650762000","warehouse":"17023"}}],
    "cursor":"","has_next":false}}"#;

pub(in crate::ozon) const ROLES: &str = r#"{"expires_at":"2026-11-30T09:54:23.296Z",
    "roles":[{"name":"Admin read only","methods":["/v3/product/list","/v3/product/info/list"]}]}"#;

pub(in crate::ozon) const ATTRIBUTES: &str = r#"{"result":[{"id":1100001,"barcode":"","name":"Чехол","offer_id":"ART-1",
    "type_id":92912,"description_category_id":17028650,"attributes":[{"id":5076,"complex_id":0,
    "values":[{"dictionary_value_id":971082156,"value":"Чехол"}]},{"id":85,"complex_id":0,
    "values":[{"dictionary_value_id":5060050,"value":"Samsung"}]}],"complex_attributes":[]},
    {"id":"1100002","attributes":[{"id":31,"complex_id":0,"values":[{"dictionary_value_id":0,"value":" Твое "}]}]},
    {"id":1100003,"attributes":[{"id":85,"complex_id":0,"values":[{"dictionary_value_id":0,"value":""}]}]},
    {"id":1100004,"attributes":null}],"total":"4","last_id":""}"#;

pub(in crate::ozon) const TREE: &str = r#"{"result":[{"description_category_id":17027494,"category_name":"Строительство",
    "disabled":false,"children":[{"description_category_id":17028650,"category_name":"Средства защиты",
    "disabled":false,"children":[{"type_id":92912,"type_name":"Очки защитные","disabled":false,"children":[]}]}]}]}"#;
