// Starts Swagger UI on the server's own document. "Try it out" goes as whom Authorize says, else
// with the browser's session, for which unsafe requests need the CSRF token.
import { csrfToken } from './session.js';

function addToken(request) {
    const token = csrfToken();
    const isOurs = new URL(request.url, location.href).origin === location.origin;
    if (token && isOurs) request.headers['X-CSRFToken'] = token;
    return request;
}

window.SwaggerUIBundle({
    url: '/api/schema/?format=json',
    domNode: document.getElementById('swagger-ui'),
    deepLinking: true,
    docExpansion: 'list',
    defaultModelsExpandDepth: 0,
    displayRequestDuration: true,
    filter: true,
    validatorUrl: null,
    requestInterceptor: addToken,
});
