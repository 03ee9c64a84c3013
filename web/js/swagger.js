// Starts Swagger UI on the server's own document. "Try it out" goes as whom Authorize says, else
// with the browser's session, for which unsafe requests need the CSRF token.
const cookie = (name) =>
    document.cookie
        .split('; ')
        .find((part) => part.startsWith(`${name}=`))
        ?.slice(name.length + 1);

function addToken(request) {
    const token = cookie('csrftoken');
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
