// Answers with what the authorizer passed on.
export async function handler(event) {
  return { statusCode: 200, body: JSON.stringify(event.requestContext.authorizer ?? null) };
}
