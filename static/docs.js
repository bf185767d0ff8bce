// Shows the API's own OpenAPI document with Swagger UI, served from its package.
const place = document.getElementById("swagger-ui");
window.SwaggerUIBundle({ url: place.dataset.document, domNode: place, validatorUrl: null });
