//! Tokens and key sets as each provider writes them, and what is to come of them under its recipe.

use serde_json::{Value, json};

use crate::support::tokens::{SigningKey, jwks, now};

/// The issuer of a pool of Cognito that was switched.
const UPDATED_POOL: &str = "https://issuer-cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Example01";

/// A token that a provider issues, and what is to come of it.
pub(crate) struct Case {
    pub(crate) what: &'static str,
    pub(crate) header: Value,
    /// `iss` is as the page has it; the first name of the recipe where it is missing.
    pub(crate) claims: Value,
    /// Another key than the provider's that signs today.
    pub(crate) key: Option<SigningKey>,
    pub(crate) expected: Expected,
}

pub(crate) enum Expected {
    /// With this principal and this context; `iss` and `exp` of the token are added to it.
    Allowed {
        principal: &'static str,
        context: Value,
    },
    Refused(&'static str),
}

fn good(
    what: &'static str,
    header: &Value,
    claims: Value,
    principal: &'static str,
    context: Value,
) -> Case {
    Case {
        what,
        header: header.clone(),
        claims,
        key: None,
        expected: Expected::Allowed { principal, context },
    }
}

fn bad(what: &'static str, header: &Value, claims: Value, reason: &'static str) -> Case {
    Case { what, header: header.clone(), claims, key: None, expected: Expected::Refused(reason) }
}

/// A provider: its key set, the key that signs, and its tokens. The first is the one to be allowed.
pub(crate) struct Shape {
    pub(crate) heading: &'static str,
    pub(crate) key_set: Value,
    pub(crate) key: SigningKey,
    pub(crate) cases: Vec<Case>,
}

/// `claims` with some of them replaced, or removed where null stands for them.
pub(crate) fn with(claims: &Value, changes: Value) -> Value {
    let mut claims = claims.as_object().unwrap().clone();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            claims.remove(name)
        } else {
            claims.insert(name.clone(), value.clone())
        };
    }
    Value::Object(claims)
}

/// The keys as JWKs with some members more or, by null, fewer; a key that signs nothing today is among them.
fn published(key: &SigningKey, changes: Value) -> Value {
    let next = with(
        &SigningKey::rsa("recipes-spare").jwk(),
        json!({ "kid": format!("{}-next", key.kid()) }),
    );
    let keys: Vec<_> = [next, key.jwk()].iter().map(|jwk| with(jwk, changes.clone())).collect();
    json!({ "keys": keys })
}

fn cognito_access() -> Shape {
    let key = SigningKey::rsa("cognito/access+1=");
    let header = json!({ "kid": key.kid(), "alg": "RS256" });
    let claims = json!({
        "sub": "d2c5e4c4-90b1-70a5-9d5c-2d6d1f1b0e11",
        "cognito:groups": ["admins", "eu-west-1_Example01_Google"],
        "version": 2,
        "client_id": "1h57kf5cpq17m0eml12example",
        "origin_jti": "0f6b1d2e-0c6b-4a4c-9f6e-a1b2c3d4e5f6",
        "event_id": "4a5b6c7d-1111-2222-3333-444455556666",
        "token_use": "access",
        "scope": "openid https://api.example.com/pets.read",
        "auth_time": now() - 5,
        "jti": "a1b2c3d4-0000-1111-2222-333344445555",
        "username": "google_117",
    });
    let context = json!({
        "sub": "d2c5e4c4-90b1-70a5-9d5c-2d6d1f1b0e11",
        "client_id": "1h57kf5cpq17m0eml12example",
        "username": "google_117",
        "scope": "openid https://api.example.com/pets.read",
        "jti": "a1b2c3d4-0000-1111-2222-333344445555",
        "groups": r#"["admins","eu-west-1_Example01_Google"]"#,
    });
    let user = "d2c5e4c4-90b1-70a5-9d5c-2d6d1f1b0e11";
    let cases = vec![
        good("user", &header, claims.clone(), user, context.clone()),
        good(
            "of a pool that was switched",
            &header,
            with(&claims, json!({ "iss": UPDATED_POOL })),
            user,
            context.clone(),
        ),
        good(
            "with resource binding",
            &header,
            with(&claims, json!({ "aud": "https://x.example" })),
            user,
            context,
        ),
        good(
            "client credentials",
            &header,
            json!({
                "sub": "1h57kf5cpq17m0eml12example",
                "token_use": "access",
                "scope": "https://api.example.com/pets.read",
                "auth_time": now(),
                "version": 2,
                "jti": "b1",
                "client_id": "1h57kf5cpq17m0eml12example",
            }),
            "1h57kf5cpq17m0eml12example",
            json!({
                "sub": "1h57kf5cpq17m0eml12example",
                "client_id": "1h57kf5cpq17m0eml12example",
                "scope": "https://api.example.com/pets.read",
                "jti": "b1",
            }),
        ),
        bad(
            "the other issuer of another pool",
            &header,
            with(&claims, json!({ "iss": UPDATED_POOL.replace("Example01", "Example02") })),
            "issuer_untrusted",
        ),
        bad(
            "another client",
            &header,
            with(&claims, json!({ "client_id": "other" })),
            "audience_mismatch",
        ),
        bad(
            "ID token with a client_id",
            &header,
            with(&claims, json!({ "token_use": "id" })),
            "claim_invalid",
        ),
        bad(
            "token_use missing",
            &header,
            with(&claims, json!({ "token_use": null })),
            "claim_missing",
        ),
    ];
    Shape { heading: "Amazon Cognito, access tokens", key_set: cognito_keys(), key, cases }
}

fn cognito_resource() -> Shape {
    let key = SigningKey::rsa("cognito/access+1=");
    let header = json!({ "kid": key.kid(), "alg": "RS256" });
    let claims = json!({
        "sub": "d2c5e4c4-90b1-70a5-9d5c-2d6d1f1b0e11",
        "aud": "https://api.example.com",
        "version": 2,
        "client_id": "1h57kf5cpq17m0eml12example",
        "token_use": "access",
        "scope": "openid https://api.example.com/pets.read",
        "auth_time": now() - 5,
        "jti": "a1b2c3d4-0000-1111-2222-333344445555",
        "username": "google_117",
    });
    let context = with(&claims, json!({ "version": null, "token_use": null, "auth_time": null }));
    let cases = vec![
        good("user", &header, claims.clone(), "d2c5e4c4-90b1-70a5-9d5c-2d6d1f1b0e11", context),
        bad(
            "another resource",
            &header,
            with(&claims, json!({ "aud": "https://x.example" })),
            "audience_mismatch",
        ),
        bad("no resource", &header, with(&claims, json!({ "aud": null })), "claim_missing"),
        bad(
            "ID token of a client with the resource's name",
            &header,
            with(&claims, json!({ "token_use": "id" })),
            "claim_invalid",
        ),
    ];
    Shape { heading: "Amazon Cognito, resource binding", key_set: cognito_keys(), key, cases }
}

fn cognito_id() -> Shape {
    // The pool signs ID tokens with a key of their own.
    let key = SigningKey::rsa("cognito/id+2=");
    let header = json!({ "kid": key.kid(), "alg": "RS256" });
    let claims = json!({
        "at_hash": "aBcDeFgHiJkLmNoPqRsTuV",
        "sub": "d2c5e4c4-90b1-70a5-9d5c-2d6d1f1b0e11",
        "cognito:groups": ["admins"],
        "email_verified": true,
        "cognito:username": "jane",
        "origin_jti": "0f6b1d2e-0c6b-4a4c-9f6e-a1b2c3d4e5f6",
        "aud": "1h57kf5cpq17m0eml12example",
        "event_id": "4a5b6c7d-1111-2222-3333-444455556666",
        "token_use": "id",
        "auth_time": now() - 5,
        "jti": "c1",
        "email": "jane@example.com",
        "identities": [{ "userId": "117", "providerName": "Google", "primary": "true", "dateCreated": "1" }],
    });
    let context = json!({
        "sub": "d2c5e4c4-90b1-70a5-9d5c-2d6d1f1b0e11",
        "username": "jane",
        "email": "jane@example.com",
        "groups": r#"["admins"]"#,
    });
    let cases = vec![
        good("user", &header, claims.clone(), "d2c5e4c4-90b1-70a5-9d5c-2d6d1f1b0e11", context),
        bad(
            "another client",
            &header,
            with(&claims, json!({ "aud": "other" })),
            "audience_mismatch",
        ),
        bad(
            "access token with an aud",
            &header,
            with(&claims, json!({ "token_use": "access" })),
            "claim_invalid",
        ),
    ];
    Shape { heading: "Amazon Cognito, ID tokens", key_set: cognito_keys(), key, cases }
}

fn cognito_keys() -> Value {
    jwks(&[&SigningKey::rsa("cognito/id+2="), &SigningKey::rsa("cognito/access+1=")])
}

fn auth0() -> Shape {
    let key = SigningKey::rsa("NjVBRjY5MDlCMUIwNzU4RTA2QzZFMDQ4");
    let header = json!({ "alg": "RS256", "typ": "JWT", "kid": key.kid() });
    let claims = json!({
        "https://example.com/roles": ["editor", "admin"],
        "sub": "auth0|5f7c8ec7c33c6c004bbafe82",
        "aud": ["https://api.example.com", "https://example.eu.auth0.com/userinfo"],
        "azp": "my_client_id",
        "scope": "openid profile",
        "permissions": ["read:pets"],
    });
    let context = json!({
        "sub": "auth0|5f7c8ec7c33c6c004bbafe82",
        "azp": "my_client_id",
        "scope": "openid profile",
        "permissions": r#"["read:pets"]"#,
        "roles": r#"["editor","admin"]"#,
    });
    let user = "auth0|5f7c8ec7c33c6c004bbafe82";
    let rfc9068 = json!({ "alg": "RS256", "typ": "at+jwt", "kid": key.kid() });
    let cases = vec![
        good("user", &header, claims.clone(), user, context.clone()),
        good("RFC 9068 profile", &rfc9068, claims.clone(), user, context),
        good(
            "client credentials",
            &header,
            json!({
                "sub": "my_client_id@clients",
                "aud": "https://api.example.com",
                "scope": "read:pets",
                "gty": "client-credentials",
                "azp": "my_client_id",
            }),
            "my_client_id@clients",
            json!({ "sub": "my_client_id@clients", "azp": "my_client_id", "scope": "read:pets" }),
        ),
        bad(
            "ID token",
            &header,
            json!({ "nickname": "jane", "aud": "my_client_id", "sub": user, "sid": "s", "nonce": "n" }),
            "audience_mismatch",
        ),
        bad(
            "another API",
            &header,
            with(
                &claims,
                json!({ "aud": ["https://other.example.com", "https://example.eu.auth0.com/userinfo"] }),
            ),
            "audience_mismatch",
        ),
    ];
    let key_set = published(
        &key,
        json!({ "x5t": "NjVBRjY5MDlCMUIwNzU4RTA2QzZFMDQ4", "x5c": ["MIIDBzCCAe8="] }),
    );
    Shape { heading: "Auth0", key_set, key, cases }
}

fn auth0_organizations() -> Shape {
    let Shape { key_set, key, .. } = auth0();
    let header = json!({ "alg": "RS256", "typ": "JWT", "kid": key.kid() });
    let user = "auth0|602c0dcab993d10073daf680";
    let claims = json!({
        "sub": user,
        "aud": ["https://api.example.com", "https://example.eu.auth0.com/userinfo"],
        "azp": "my_client_id",
        "org_id": "org_9ybsU1dN2dKfDkBi",
        "scope": "openid profile email",
        "permissions": ["read:pets"],
    });
    let context = with(&claims, json!({ "aud": null, "permissions": r#"["read:pets"]"# }));
    let other = json!({ "org_id": "org_4tGh7JkLm2Np0QrS", "org_name": "north" });
    let other_context = with(&context, json!({ "org_id": "org_4tGh7JkLm2Np0QrS" }));
    let cases = vec![
        good("user of an organization", &header, claims.clone(), user, context),
        good("user of another one", &header, with(&claims, other), user, other_context),
        bad("user of none", &header, with(&claims, json!({ "org_id": null })), "claim_missing"),
        bad(
            "an organization that is not listed",
            &header,
            with(&claims, json!({ "org_id": "org_0000000000000000" })),
            "claim_invalid",
        ),
        bad(
            "ID token",
            &header,
            with(&claims, json!({ "aud": "my_client_id" })),
            "audience_mismatch",
        ),
    ];
    Shape { heading: "Auth0, organizations", key_set, key, cases }
}

fn okta() -> Shape {
    let key = SigningKey::rsa("1s3tvP0K5sT6yJq2xQ9hXkE0bq7m2sM8w1ZcYQkT3oA");
    let header = json!({ "kid": key.kid(), "alg": "RS256" });
    let claims = json!({
        "ver": 1,
        "jti": "AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7uX39RE",
        "aud": "api://default",
        "cid": "0oabv6kx4qq6h1U5l0h7",
        "uid": "00ub0oNGTSWTBKOLGLNR",
        "scp": ["openid", "pets.read"],
        "auth_time": now() - 5,
        "sub": "jane@example.com",
        "groups": ["Everyone", "Pet Keepers"],
    });
    let context = json!({
        "sub": "jane@example.com",
        "uid": "00ub0oNGTSWTBKOLGLNR",
        "cid": "0oabv6kx4qq6h1U5l0h7",
        "scp": r#"["openid","pets.read"]"#,
        "groups": r#"["Everyone","Pet Keepers"]"#,
        "jti": "AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7uX39RE",
    });
    let cases = vec![
        good("user", &header, claims.clone(), "00ub0oNGTSWTBKOLGLNR", context),
        bad(
            "access token of the org server",
            &header,
            with(
                &claims,
                json!({ "iss": "https://example.okta.com", "aud": "https://example.okta.com" }),
            ),
            "issuer_untrusted",
        ),
        good(
            "client credentials",
            &header,
            json!({
                "ver": 1,
                "jti": "AT.1",
                "aud": "api://default",
                "cid": "0oabv6kx4qq6h1U5l0h7",
                "scp": ["pets.read"],
                "sub": "0oabv6kx4qq6h1U5l0h7",
            }),
            "0oabv6kx4qq6h1U5l0h7",
            json!({
                "sub": "0oabv6kx4qq6h1U5l0h7",
                "cid": "0oabv6kx4qq6h1U5l0h7",
                "scp": r#"["pets.read"]"#,
                "jti": "AT.1",
            }),
        ),
        bad(
            "ID token",
            &header,
            json!({
                "sub": "00ub0oNGTSWTBKOLGLNR",
                "ver": 1,
                "aud": "0oabv6kx4qq6h1U5l0h7",
                "jti": "ID.1",
                "amr": ["pwd"],
                "idp": "00o1",
                "preferred_username": "jane@example.com",
            }),
            "audience_mismatch",
        ),
    ];
    let key_set = published(&key, json!({}));
    Shape { heading: "Okta", key_set, key, cases }
}

fn entra_v2() -> Shape {
    let key = SigningKey::rsa("nOo3ZDrODXEK1jKWhXslHR_KXEg");
    let header = json!({ "typ": "JWT", "alg": "RS256", "kid": key.kid() });
    let claims = json!({
        "aud": "6e74172b-be56-4843-9ff4-e66a39bb12e3",
        "aio": "AXQAi/8IAAAAtAaZLo3ChMif6KOnttRB7eBq4/DccQzjcJGxPYy",
        "azp": "72f988bf-86f1-41af-91ab-2d7cd011db47",
        "azpacr": "0",
        "name": "Jane Doe",
        "oid": "690222be-ff1a-4d56-abd1-7e4f7d38e474",
        "preferred_username": "jane@example.com",
        "rh": "I",
        "scp": "access_as_user Pets.Read",
        "sub": "HKZpfaHyWadeOouYlitjrI-KffTm222X5rrV3xDqfKQ",
        "tid": "9122040d-6c67-4c5b-b112-36a304b66dad",
        "uti": "fqiBqXLPj0eQa82S-IYFAA",
        "ver": "2.0",
    });
    let context = json!({
        "sub": "HKZpfaHyWadeOouYlitjrI-KffTm222X5rrV3xDqfKQ",
        "oid": "690222be-ff1a-4d56-abd1-7e4f7d38e474",
        "tid": "9122040d-6c67-4c5b-b112-36a304b66dad",
        "azp": "72f988bf-86f1-41af-91ab-2d7cd011db47",
        "scp": "access_as_user Pets.Read",
    });
    let daemon = with(
        &claims,
        json!({
            "azpacr": "1",
            "name": null,
            "preferred_username": null,
            "scp": null,
            "roles": ["Pets.Read.All"],
            "oid": "e02f1d0e-8d3a-4a0b-8a7e-000000000001",
            "sub": "e02f1d0e-8d3a-4a0b-8a7e-000000000001",
        }),
    );
    let daemon_context = with(
        &context,
        json!({
            "scp": null,
            "roles": r#"["Pets.Read.All"]"#,
            "oid": "e02f1d0e-8d3a-4a0b-8a7e-000000000001",
            "sub": "e02f1d0e-8d3a-4a0b-8a7e-000000000001",
        }),
    );
    let graph = json!({ "aud": "00000003-0000-0000-c000-000000000000" });
    let no_role = with(&daemon, json!({ "roles": null }));
    let other_scope = with(&claims, json!({ "scp": "User.Read" }));
    let cases = vec![
        good("user", &header, claims.clone(), "690222be-ff1a-4d56-abd1-7e4f7d38e474", context),
        good("daemon", &header, daemon, "e02f1d0e-8d3a-4a0b-8a7e-000000000001", daemon_context),
        bad("an application without a role", &header, no_role, "insufficient_scope"),
        bad("user without the scope", &header, other_scope, "insufficient_scope"),
        bad(
            "ID token of the API's own client",
            &header,
            with(&claims, json!({ "azp": null, "azpacr": null, "scp": null, "nonce": "n" })),
            "claim_missing",
        ),
        bad("token for Graph", &header, with(&claims, graph), "audience_mismatch"),
    ];
    let key_set = published(
        &key,
        json!({
            "alg": null,
            "x5t": "nOo3ZDrODXEK1jKWhXslHR_KXEg",
            "x5c": ["MIIDBTCCAe2gAwIBAgIQ"],
            "cloud_instance_name": "microsoftonline.com",
            "issuer": "https://login.microsoftonline.com/9122040d-6c67-4c5b-b112-36a304b66dad/v2.0",
        }),
    );
    Shape { heading: "Microsoft Entra ID, v2.0 tokens", key_set, key, cases }
}

fn entra_v1() -> Shape {
    let key = SigningKey::rsa("i6lGk3FZzxRcUb2C3nEQ7syHJlY");
    let header = json!({ "typ": "JWT", "alg": "RS256", "x5t": key.kid(), "kid": key.kid() });
    let claims = json!({
        "aud": "api://6e74172b-be56-4843-9ff4-e66a39bb12e3",
        "acr": "1",
        "aio": "AXQAi/8IAAAAtAaZLo3ChMif6KOnttRB7eBq4/DccQzjcJGxPYy",
        "amr": ["pwd", "mfa"],
        "appid": "75dbe77f-10a3-4e59-85fd-8c127544f17c",
        "appidacr": "0",
        "email": "jane@example.com",
        "family_name": "Doe",
        "given_name": "Jane",
        "ipaddr": "192.0.2.1",
        "name": "Jane Doe",
        "oid": "690222be-ff1a-4d56-abd1-7e4f7d38e474",
        "rh": "I",
        "scp": "user_impersonation",
        "sub": "bG_x5a0vrEUJP6mzZ2bXzmIKkRsX5wUhRQ7Zx2m8b0M",
        "tid": "9122040d-6c67-4c5b-b112-36a304b66dad",
        "unique_name": "jane@example.com",
        "uti": "fqiBqXLPj0eQa82S-IYFAA",
        "ver": "1.0",
    });
    let context = json!({
        "sub": "bG_x5a0vrEUJP6mzZ2bXzmIKkRsX5wUhRQ7Zx2m8b0M",
        "oid": "690222be-ff1a-4d56-abd1-7e4f7d38e474",
        "tid": "9122040d-6c67-4c5b-b112-36a304b66dad",
        "appid": "75dbe77f-10a3-4e59-85fd-8c127544f17c",
        "scp": "user_impersonation",
    });
    let cases = vec![
        good("user", &header, claims.clone(), "690222be-ff1a-4d56-abd1-7e4f7d38e474", context),
        bad(
            "an application without a role",
            &header,
            with(&claims, json!({ "scp": null, "appidacr": "1" })),
            "insufficient_scope",
        ),
        bad(
            "ID token",
            &header,
            with(&claims, json!({ "appid": null, "appidacr": null, "scp": null })),
            "claim_missing",
        ),
        bad(
            "token for Graph",
            &header,
            with(&claims, json!({ "aud": "https://graph.microsoft.com" })),
            "audience_mismatch",
        ),
    ];
    let key_set =
        published(&key, json!({ "alg": null, "x5t": key.kid(), "x5c": ["MIIDBTCCAe2gAwIBAgIQ"] }));
    Shape { heading: "Microsoft Entra ID, v1.0 tokens", key_set, key, cases }
}

fn google() -> Shape {
    let key = SigningKey::rsa("d5cec5e8e1b1e3c4f5a6b7c8d9e0f1a2b3c4d5e6");
    let header = json!({ "alg": "RS256", "kid": key.kid(), "typ": "JWT" });
    let claims = json!({
        "azp": "407408718192-example.apps.googleusercontent.com",
        "aud": "407408718192-example.apps.googleusercontent.com",
        "sub": "110169484474386276334",
        "hd": "example.com",
        "email": "jane@example.com",
        "email_verified": true,
        "at_hash": "HK6E_P6Dh8Y93mRNtsDB1Q",
        "name": "Jane Doe",
        "picture": "https://lh3.googleusercontent.com/a/x",
        "given_name": "Jane",
        "family_name": "Doe",
    });
    let context =
        json!({ "sub": "110169484474386276334", "email": "jane@example.com", "hd": "example.com" });
    let bare = json!({ "iss": "accounts.google.com" });
    let slash = json!({ "iss": "accounts.google.com/" });
    let user = "110169484474386276334";
    let cases = vec![
        good("user of the domain", &header, claims.clone(), user, context.clone()),
        good("the issuer's old name", &header, with(&claims, bare), user, context),
        bad(
            "user without a domain",
            &header,
            with(&claims, json!({ "hd": null })),
            "claim_missing",
        ),
        bad(
            "user of another domain",
            &header,
            with(&claims, json!({ "hd": "example.org" })),
            "claim_invalid",
        ),
        bad(
            "address not verified",
            &header,
            with(&claims, json!({ "email_verified": false })),
            "claim_invalid",
        ),
        bad(
            "another client",
            &header,
            with(&claims, json!({ "aud": "1-x.apps.example" })),
            "audience_mismatch",
        ),
        bad("another name", &header, with(&claims, slash), "issuer_untrusted"),
    ];
    let key_set = published(&key, json!({}));
    Shape { heading: "Google", key_set, key, cases }
}

fn keycloak() -> Shape {
    let key = SigningKey::rsa("FJ86GcF3jTbNLOco4NvZkUCIUmfYCqoqtOQeMfbhNlE");
    let header = json!({ "alg": "RS256", "typ": "JWT", "kid": key.kid() });
    let claims = json!({
        "jti": "onrtac:5f6c9c6e-6d6d-4f55-8a0b-6d3c0f1f0b11",
        "aud": "account",
        "sub": "f1c1b3f6-7a3f-4a53-9b0a-0c9c4a1b2c3d",
        "typ": "Bearer",
        "azp": "my-app",
        "sid": "d4b6e8d0-1f7b-4b39-8a8c-1f0f5e2d3c4b",
        "acr": "1",
        "allowed-origins": ["https://app.example.com"],
        "realm_access": { "roles": ["offline_access", "pets-reader"] },
        "resource_access": { "account": { "roles": ["manage-account"] } },
        "scope": "openid email profile",
        "email_verified": true,
        "preferred_username": "jane",
    });
    let context = json!({
        "sub": "f1c1b3f6-7a3f-4a53-9b0a-0c9c4a1b2c3d",
        "azp": "my-app",
        "username": "jane",
        "scope": "openid email profile",
        "roles": r#"["offline_access","pets-reader"]"#,
    });
    let user = "f1c1b3f6-7a3f-4a53-9b0a-0c9c4a1b2c3d";
    let id_token = json!({ "typ": "ID", "aud": "my-app", "realm_access": null, "scope": null });
    let encrypting = json!({ "alg": "RS256", "typ": "JWT", "kid": "encryption" });
    let no_kid = json!({ "alg": "RS256", "typ": "JWT" });
    let refresh = json!({ "alg": "HS512", "typ": "JWT", "kid": "2d9c1f0e" });
    let cases = vec![
        good("user", &header, claims.clone(), user, context.clone()),
        good(
            "without an audience",
            &header,
            with(&claims, json!({ "aud": null })),
            user,
            context.clone(),
        ),
        // Only one key of the set can sign.
        good("without a kid", &no_kid, claims.clone(), user, context),
        bad("ID token", &header, with(&claims, id_token), "claim_invalid"),
        bad(
            "another client",
            &header,
            with(&claims, json!({ "azp": "other-app" })),
            "audience_mismatch",
        ),
        bad("no client", &header, with(&claims, json!({ "azp": null })), "claim_missing"),
        bad(
            "refresh token",
            &refresh,
            with(&claims, json!({ "typ": "Refresh" })),
            "algorithm_not_allowed",
        ),
        // The very key, but published for encryption.
        bad("under the encryption key", &encrypting, claims, "key_unknown"),
    ];
    let encryption =
        with(&key.jwk(), json!({ "kid": "encryption", "use": "enc", "alg": "RSA-OAEP" }));
    let certificate = json!({ "x5c": ["MIICnTCCAYUCBg=="], "x5t": "t", "x5t#S256": "s" });
    let keys = [with(&encryption, certificate.clone()), with(&key.jwk(), certificate)];
    Shape { heading: "Keycloak", key_set: json!({ "keys": keys }), key, cases }
}

fn entrust() -> Shape {
    let key = SigningKey::rsa("c4d0c2a8-6b0e-4b0e-9a51-7d1d2b7f3a10");
    let header = json!({ "kid": key.kid(), "alg": "RS256" });
    let claims = json!({
        "app": "Sample Client Application",
        "sub": "user1",
        "given_name": "Jane",
        "aud": "https://api.example.com",
        "nbf": now() - 1,
        "scope": "view:pets edit:pets",
        "name": "Jane Doe",
        "family_name": "Doe",
        "jti": "5f474e42-92ef-4ae4-bab7-b5ab2c052161",
        "cid": "acd612d3-79e6-4702-ba9d-90575125394f",
    });
    let context = json!({
        "sub": "user1",
        "cid": "acd612d3-79e6-4702-ba9d-90575125394f",
        "app": "Sample Client Application",
        "scope": "view:pets edit:pets",
        "jti": "5f474e42-92ef-4ae4-bab7-b5ab2c052161",
    });
    let machine = with(&context, json!({ "sub": null }));
    let client = "acd612d3-79e6-4702-ba9d-90575125394f";
    let cases = vec![
        good("user", &header, claims.clone(), "user1", context),
        good("without a user", &header, with(&claims, json!({ "sub": null })), client, machine),
        bad(
            "ID token",
            &header,
            json!({
                "sub": "user1",
                "aud": "acd612d3-79e6-4702-ba9d-90575125394f",
                "acr": "urn:oasis:names:tc:SAML:2.0:ac:classes:TimeSyncToken",
                "nbf": now() - 1,
                "nonce": "abcd",
            }),
            "audience_mismatch",
        ),
    ];
    let key_set = published(&key, json!({}));
    Shape { heading: "Entrust Identity as a Service", key_set, key, cases }
}

fn pingone() -> Shape {
    let key = SigningKey::rsa("3a2b1c00-ping-key");
    let header = json!({ "alg": "RS256", "kid": key.kid(), "x5t": "q1w2e3", "typ": "at+jwt" });
    let claims = json!({
        "client_id": "8d3f0d0e-2d53-4a68-b4a4-0d2c8d4a8f02",
        "jti": "p1",
        "aud": ["https://api.example.com"],
        "scope": "openid pets:read",
        "sub": "0f2d9a52-6b9c-4f6f-9d7d-0d8a2d1c3b4a",
        "sid": "b5a5f5b0-8d3d-4bb5-8a7c-1d0c3b2a4f5e",
        "auth_time": now() - 5,
        "acr": "Single_Factor",
        "org": "c1b2a3d4-0000-1111-2222-333344445555",
        "env": "2b2f0a3c-7d2a-4a8e-9d0c-5a1f6e0c7b11",
    });
    let context = json!({
        "sub": "0f2d9a52-6b9c-4f6f-9d7d-0d8a2d1c3b4a",
        "client_id": "8d3f0d0e-2d53-4a68-b4a4-0d2c8d4a8f02",
        "scope": "openid pets:read",
    });
    let user = "0f2d9a52-6b9c-4f6f-9d7d-0d8a2d1c3b4a";
    let untyped = json!({ "alg": "RS256", "kid": key.kid() });
    let long_type = json!({ "alg": "RS256", "kid": key.kid(), "typ": "application/AT+JWT" });
    let machine =
        with(&claims, json!({ "sub": null, "sid": null, "acr": null, "auth_time": null }));
    let cases = vec![
        good("user", &header, claims.clone(), user, context.clone()),
        good("user, before `at+jwt`", &untyped, claims.clone(), user, context.clone()),
        good("with the type's long name", &long_type, claims.clone(), user, context.clone()),
        good(
            "client credentials",
            &header,
            machine,
            "8d3f0d0e-2d53-4a68-b4a4-0d2c8d4a8f02",
            with(&context, json!({ "sub": null })),
        ),
        bad(
            "ID token",
            &untyped,
            with(
                &claims,
                json!({ "aud": "8d3f0d0e-2d53-4a68-b4a4-0d2c8d4a8f02", "client_id": null }),
            ),
            "audience_mismatch",
        ),
        bad(
            "logout token",
            &json!({ "alg": "RS256", "kid": key.kid(), "typ": "logout+jwt" }),
            claims,
            "type_not_accepted",
        ),
    ];
    let key_set = published(&key, json!({ "x5t": "q1w2e3", "x5c": ["MIIDBTCCAe2gAwIBAgIQ"] }));
    Shape { heading: "PingOne", key_set, key, cases }
}

fn entra_tenants() -> Shape {
    const NORTH: &str = "0f3c2d6e-1b7a-4c55-9d1e-6a2f8b3c4d5e";
    const SOUTH: &str = "5b8e7c1a-94d2-4f36-8a7b-c0d1e2f3a4b5";
    const PERSONAL: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";
    let iss = |tenant: &str| format!("https://login.microsoftonline.com/{tenant}/v2.0");
    let key = SigningKey::rsa("jS1Xo1OWDj_52vbwGNgvQO2VzMc");
    let personal = SigningKey::rsa("yreX2PsLi-qkbR8QDOmB_ySxp8Q");
    let header = json!({ "typ": "JWT", "alg": "RS256", "kid": key.kid() });
    let by_personal = json!({ "typ": "JWT", "alg": "RS256", "kid": personal.kid() });
    let claims = json!({
        "iss": iss(NORTH),
        "aud": "6e74172b-be56-4843-9ff4-e66a39bb12e3",
        "azp": "72f988bf-86f1-41af-91ab-2d7cd011db47",
        "azpacr": "1",
        "oid": "690222be-ff1a-4d56-abd1-7e4f7d38e474",
        "scp": "Pets.Read",
        "sub": "HKZpfaHyWadeOouYlitjrI-KffTm222X5rrV3xDqfKQ",
        "tid": NORTH,
        "ver": "2.0",
    });
    let context = with(&claims, json!({ "iss": null, "aud": null, "azpacr": null, "ver": null }));
    let of = |tenant: &str| with(&claims, json!({ "iss": iss(tenant), "tid": tenant }));
    let user = "690222be-ff1a-4d56-abd1-7e4f7d38e474";
    let in_south = with(&context, json!({ "tid": SOUTH }));
    let cases = vec![
        good("user of a tenant", &header, claims.clone(), user, context),
        good("the same `sub` in another tenant", &header, of(SOUTH), user, in_south),
        bad(
            "an application of a tenant, without a role",
            &header,
            with(&claims, json!({ "scp": null })),
            "insufficient_scope",
        ),
        bad(
            "a tenant that is not listed",
            &header,
            of("9122040d-6c67-4c5b-b112-36a304b66dad"),
            "issuer_untrusted",
        ),
        bad(
            "`tid` of another tenant on the list",
            &header,
            with(&claims, json!({ "tid": SOUTH })),
            "issuer_untrusted",
        ),
        bad("no `tid`", &header, with(&claims, json!({ "tid": null })), "issuer_untrusted"),
        bad("a personal account", &by_personal, of(PERSONAL), "issuer_untrusted"),
        Case {
            key: Some(personal.clone()),
            ..bad("the key for personal accounts", &by_personal, claims.clone(), "key_unknown")
        },
        bad("the tenants' common name", &header, of("common"), "issuer_untrusted"),
        bad(
            "ID token of the API's own client",
            &header,
            with(&claims, json!({ "azp": null, "azpacr": null, "scp": null })),
            "claim_missing",
        ),
    ];
    let member = |key: &SigningKey, issuer: &str| {
        with(&key.jwk(), json!({ "alg": null, "x5c": ["MIID"], "issuer": issuer }))
    };
    let keys = [member(&key, &iss("{tenantid}")), member(&personal, &iss(PERSONAL))];
    let key_set = json!({ "keys": keys });
    Shape { heading: "Microsoft Entra ID, many tenants", key_set, key, cases }
}

fn adfs() -> Shape {
    let key = SigningKey::rsa("eFw7tVnJt0mYx0bqV5mP2Wc1kZs");
    let header = json!({ "typ": "JWT", "alg": "RS256", "x5t": key.kid(), "kid": key.kid() });
    let claims = json!({
        "aud": "https://api.example.com",
        "appid": "7c12c80b-9fb5-4dec-abba-e43254ba4279",
        "apptype": "Public",
        "authmethod": "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport",
        "auth_time": "2026-11-29T08:30:17.507Z",
        "upn": "jane@example.com",
        "group": ["Domain Users", "pet-keepers"],
        "scp": "openid pets.read",
        "ver": "1.0",
    });
    let context = json!({
        "upn": "jane@example.com",
        "appid": "7c12c80b-9fb5-4dec-abba-e43254ba4279",
        "scp": "openid pets.read",
        "group": r#"["Domain Users","pet-keepers"]"#,
    });
    let machine = json!({ "upn": null, "group": null, "apptype": "Confidential" });
    let client = "7c12c80b-9fb5-4dec-abba-e43254ba4279";
    let cases = vec![
        good("user", &header, claims.clone(), "jane@example.com", context.clone()),
        good(
            "client credentials",
            &header,
            with(&claims, machine),
            client,
            with(&context, json!({ "upn": null, "group": null })),
        ),
        bad(
            "ID token",
            &header,
            with(&claims, json!({ "iss": "https://adfs.example.com/adfs", "aud": client })),
            "issuer_untrusted",
        ),
        bad(
            "token for the user info endpoint",
            &header,
            with(&claims, json!({ "aud": "urn:microsoft:userinfo" })),
            "audience_mismatch",
        ),
    ];
    let key_set = published(&key, json!({ "x5t": key.kid(), "x5c": ["MIIC3DCCAcSgAwIBAgIQ"] }));
    Shape { heading: "AD FS", key_set, key, cases }
}

fn supabase() -> Shape {
    let key = SigningKey::es256("b81269f1-21d8-4f2e-b719-c2240a840d90");
    let header = json!({ "alg": "ES256", "kid": key.kid(), "typ": "JWT" });
    let user = "11111111-1111-1111-1111-111111111111";
    let claims = json!({
        "aud": "authenticated",
        "sub": user,
        "email": "jane@example.com",
        "phone": "",
        "app_metadata": { "provider": "email", "providers": ["email"], "roles": ["editor"] },
        "user_metadata": { "roles": ["admin"] },
        "role": "authenticated",
        "aal": "aal1",
        "amr": [{ "method": "password", "timestamp": now() - 5 }],
        "session_id": "5f0e6c2d-8f4b-4a39-9a0e-2b6a0d3c1f77",
        "is_anonymous": false,
    });
    let context = json!({
        "sub": user,
        "email": "jane@example.com",
        "aal": "aal1",
        "session_id": "5f0e6c2d-8f4b-4a39-9a0e-2b6a0d3c1f77",
        "roles": r#"["editor"]"#,
    });
    let hs256 = json!({ "alg": "HS512", "typ": "JWT" });
    let cases = vec![
        good("user", &header, claims.clone(), user, context.clone()),
        good(
            "of a project older than anonymous users",
            &header,
            with(&claims, json!({ "is_anonymous": null })),
            user,
            context,
        ),
        bad(
            "anonymous user",
            &header,
            with(&claims, json!({ "email": "", "is_anonymous": true })),
            "claim_invalid",
        ),
        bad(
            "the service role",
            &header,
            with(&claims, json!({ "role": "service_role" })),
            "claim_invalid",
        ),
        bad(
            "another project",
            &header,
            with(&claims, json!({ "iss": "https://zyxwvutsrqponmlkjihg.supabase.co/auth/v1" })),
            "issuer_untrusted",
        ),
        bad("signed with a shared secret", &hs256, claims, "algorithm_not_allowed"),
    ];
    let key_set =
        json!({ "keys": [with(&key.jwk(), json!({ "ext": true, "key_ops": ["verify"] }))] });
    Shape { heading: "Supabase", key_set, key, cases }
}

fn spire() -> Shape {
    let key = SigningKey::es256("IhQ2mJmWbTjWaXqvNzYsWgLXLAnHrCN1");
    let header = json!({ "alg": "ES256", "kid": key.kid(), "typ": "JWT" });
    let web = "spiffe://example.org/ns/shop/sa/web";
    let claims = json!({ "sub": web, "aud": ["https://api.example.com"] });
    let of = |sub: &str| with(&claims, json!({ "sub": sub }));
    let context = json!({ "sub": web });
    let cases = vec![
        good("workload", &header, claims.clone(), web, context),
        bad(
            "another workload, for the same audience",
            &header,
            of("spiffe://example.org/ns/other/sa/job"),
            "claim_invalid",
        ),
        bad(
            "the same path in another trust domain",
            &header,
            of("spiffe://example.com/ns/shop/sa/web"),
            "claim_invalid",
        ),
        bad(
            "for another audience",
            &header,
            with(&claims, json!({ "aud": ["https://other.example.com"] })),
            "audience_mismatch",
        ),
        Case {
            key: Some(SigningKey::es256("of-the-bundle")),
            ..bad(
                "under a key that is published as the bundle's",
                &json!({ "alg": "ES256", "kid": "of-the-bundle", "typ": "JWT" }),
                claims.clone(),
                "key_unknown",
            )
        },
    ];
    // SPIRE's OIDC provider leaves `use` out. A bundle has it, with a value of its own.
    let oidc = with(&key.jwk(), json!({ "use": null }));
    let bundle = with(&key.jwk(), json!({ "kid": "of-the-bundle", "use": "jwt-svid" }));
    Shape { heading: "SPIRE", key_set: json!({ "keys": [oidc, bundle] }), key, cases }
}

fn firebase() -> Shape {
    let key = SigningKey::rsa("a49391bf52b58c1d560255c2f2a04e59e22a7b65");
    let header = json!({ "alg": "RS256", "kid": key.kid(), "typ": "JWT" });
    let claims = json!({
        "aud": "my-project-1234",
        "auth_time": now() - 5,
        "user_id": "SeWbQVGKeuMTnXmzTLOuBCnvEXS2",
        "sub": "SeWbQVGKeuMTnXmzTLOuBCnvEXS2",
        "email": "jane@example.com",
        "email_verified": true,
        "roles": ["editor"],
        "firebase": {
            "identities": { "email": ["jane@example.com"] },
            "sign_in_provider": "password",
        },
    });
    let context = json!({
        "sub": "SeWbQVGKeuMTnXmzTLOuBCnvEXS2",
        "email": "jane@example.com",
        "roles": r#"["editor"]"#,
        "provider": "password",
    });
    let anonymous = json!({
        "email": null, "roles": null,
        "firebase": { "identities": {}, "sign_in_provider": "anonymous" },
    });
    let cookie = json!({ "iss": "https://session.firebase.google.com/my-project-1234" });
    let cases = vec![
        good("user", &header, claims.clone(), "SeWbQVGKeuMTnXmzTLOuBCnvEXS2", context),
        bad("anonymous user", &header, with(&claims, anonymous), "claim_invalid"),
        bad("session cookie", &header, with(&claims, cookie), "issuer_untrusted"),
        bad(
            "another project",
            &header,
            with(&claims, json!({ "aud": "other-project" })),
            "audience_mismatch",
        ),
    ];
    let key_set = published(&key, json!({}));
    Shape { heading: "Firebase", key_set, key, cases }
}

fn fusionauth() -> Shape {
    let key = SigningKey::rsa("Xoq7kK3eIXryYmi50ZOvg2bcceM");
    let header = json!({
        "alg": "RS256", "typ": "JWT", "gty": ["authorization_code"], "kid": key.kid(),
    });
    let application = "e9fdb985-9173-4e01-9d73-ac2d60d1dc8e";
    let claims = json!({
        "aud": application,
        "sub": "00000000-0000-0000-0000-111111111111",
        "jti": "2e2271d7-3057-4bfd-99ab-34af48e84567",
        "authenticationType": "PASSWORD",
        "applicationId": application,
        "scope": "offline_access profile openid",
        "roles": ["admin"],
        "sid": "0abe7139-0bd0-4fd0-a450-c1e8b16e710a",
        "auth_time": now() - 5,
        "tid": "d7d09513-a3f5-401c-9685-34ab6c552453",
    });
    let context = json!({
        "sub": "00000000-0000-0000-0000-111111111111",
        "tid": "d7d09513-a3f5-401c-9685-34ab6c552453",
        "scope": "offline_access profile openid",
        "roles": r#"["admin"]"#,
        "jti": "2e2271d7-3057-4bfd-99ab-34af48e84567",
    });
    let id_token = json!({ "applicationId": null, "roles": null, "at_hash": "BQZQ_BA2vWvVZ4sL" });
    let machine = json!({ "aud": "092dbded-30af-4149-9c61-b578f2c72f59", "applicationId": null });
    let cases = vec![
        good("user", &header, claims.clone(), "00000000-0000-0000-0000-111111111111", context),
        bad("ID token", &header, with(&claims, id_token), "claim_missing"),
        bad("client credentials", &header, with(&claims, machine), "audience_mismatch"),
        bad(
            "another application",
            &header,
            with(&claims, json!({ "applicationId": "3c219e58-ed0e-4b18-ad48-f4f92793ae32" })),
            "claim_invalid",
        ),
    ];
    let key_set = published(&key, json!({ "x5t": "Xoq7kK3eIXryYmi50ZOvg2bcceM" }));
    Shape { heading: "FusionAuth", key_set, key, cases }
}

fn zitadel() -> Shape {
    let key = SigningKey::rsa("344371205483921412");
    let header = json!({ "alg": "RS256", "kid": key.kid(), "typ": "JWT" });
    let roles = json!({ "reader": { "344373908297744388": "example.zitadel.cloud" } });
    let claims = json!({
        "sub": "345377791925026818",
        "aud": ["345012345678901234", "344374183645413380"],
        "nbf": now() - 1,
        "client_id": "345012345678901234",
        "jti": "V2_345377-at_345377",
        "urn:zitadel:iam:org:project:roles": roles,
    });
    let context = json!({
        "sub": "345377791925026818",
        "client_id": "345012345678901234",
        "jti": "V2_345377-at_345377",
        "roles": roles.to_string(),
    });
    let id_token = json!({ "auth_time": now() - 5, "amr": ["pwd"], "azp": "345012345678901234" });
    let cases = vec![
        good("user", &header, claims.clone(), "345377791925026818", context),
        bad("ID token for the project", &header, with(&claims, id_token), "claim_invalid"),
        bad(
            "another project",
            &header,
            with(&claims, json!({ "aud": ["345012345678901234"] })),
            "audience_mismatch",
        ),
    ];
    let key_set = published(&key, json!({}));
    Shape { heading: "Zitadel", key_set, key, cases }
}

pub(crate) fn shapes() -> Vec<Shape> {
    vec![
        cognito_access(),
        cognito_resource(),
        cognito_id(),
        auth0(),
        auth0_organizations(),
        okta(),
        entra_v2(),
        entra_v1(),
        entra_tenants(),
        adfs(),
        google(),
        firebase(),
        supabase(),
        keycloak(),
        fusionauth(),
        zitadel(),
        entrust(),
        pingone(),
        spire(),
    ]
}
