// Shows the API's own OpenAPI document with Swagger UI, which its package brings.
const place = document.getElementById("docs");
window.SwaggerUIBundle({ domNode: place, url: place.dataset.url, deepLinking: true, validatorUrl: null });
