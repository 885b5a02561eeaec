//! A handler that panics is a plain 500, and the process goes on.

use actix_web::middleware::from_fn;
use actix_web::web::{self, Data};
use actix_web::{App, HttpResponse, test};

use crate::world::world_and_state;

async fn broken() -> HttpResponse {
    panic!("canary: what went wrong is nobody's business outside")
}

async fn fine() -> HttpResponse {
    HttpResponse::Ok().finish()
}

#[actix_web::test]
async fn a_panic_is_a_problem_without_its_words_and_ends_nothing() {
    let (_world, state) = world_and_state().await;
    let app = test::init_service(
        App::new()
            .app_data(Data::new(state))
            .wrap(from_fn(api::frame::frame))
            .route("/broken", web::get().to(broken))
            .route("/fine", web::get().to(fine)),
    )
    .await;
    let request = test::TestRequest::get().uri("/broken").to_request();
    let error = match test::try_call_service(&app, request).await {
        Ok(answer) => panic!("it answered {}", answer.status()),
        Err(error) => error,
    };
    let answer = error.as_response_error().error_response();
    assert_eq!(answer.status(), 500);
    assert!(answer.headers().contains_key("request-id"));
    let body = actix_web::body::to_bytes(answer.into_body()).await.ok().unwrap();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(
        (&body["code"], &body["instance"]),
        (&"internal".into(), &"/broken".into())
    );
    assert!(!body.to_string().contains("canary"), "{body}");
    let request = test::TestRequest::get().uri("/fine").to_request();
    assert_eq!(test::call_service(&app, request).await.status(), 200);
}
