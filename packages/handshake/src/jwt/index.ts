/** `@mosaik/handshake/jwt`: tickets that are JSON Web Tokens, on `jose` (a peer dependency of this entry alone). */
export { issueTicket } from './issue-ticket.ts';
export { jwt } from './jwt.ts';
export type { IssueTicketInit, JwtInit, JwtKey } from './options.ts';
