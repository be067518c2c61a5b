export * from './environment';
export * from './token-authorizer';
