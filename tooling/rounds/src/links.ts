/** The network between the members, and what can be done to it. Members are named by their number. */
export interface Links {
  readonly kind: 'relays' | 'namespaces';
  /** `delay` can be asked for. */
  readonly canDelay: boolean;
  /** In front of the command of this member. */
  prefix(member: number): readonly string[];
  /** Where it binds, as `host:port`. */
  listen(member: number): string;
  /** Where the others reach it. */
  address(member: number): string;
  /** Nothing passes between the two, in either direction. */
  cut(a: number, b: number): Promise<void>;
  heal(): Promise<void>;
  /** Everything takes so much longer, one way. */
  delay(ms: number): Promise<void>;
  close(): Promise<void>;
}
