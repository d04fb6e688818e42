import { type Answer, isUnauthenticated, postOperation } from './request.js';

/** Who is signed in, as the page shows it. */
export interface Account {
  name: string;
  email: string;
  org: string;
}

/** What the page renders from. A new object whenever something in it changes. */
export interface SessionState {
  /** Null when nobody is signed in. The same object for as long as the same sign-in lasts. */
  account: Account | null;
  /** Why the user has to sign in again, for the sign-in dialog. */
  notice: string | null;
}

/** The tokens of one sign-in, as the API hands them out. */
interface Tokens {
  accessToken: string;
  refreshToken: string;
  /** When the access token ends, RFC 3339. */
  expiresAt: string;
}

/** What is kept over a reload of the page. */
interface Saved {
  tokens: Tokens;
  account: Account;
}

/** An access token is renewed when it has less than this left, so that none expires on its way to the server. */
export const renewBeforeExpiryMs = 60_000;

/** What the sign-in dialog says about why it opened. */
export const notices = {
  needed: 'This operation needs you to be signed in.',
  refused: 'The server no longer accepts this session. Sign in again to go on.',
  ended: 'Your session has ended. Sign in again to go on.',
};

const storageKey = 'harborwatch:session';

const signInMutation =
  'mutation SignIn($input: SignInInput!) { signIn(input: $input) { accessToken refreshToken expiresAt } }';
const refreshMutation =
  'mutation RefreshSession($input: RefreshSessionInput!) { refreshSession(input: $input) { accessToken refreshToken expiresAt } }';
const signOutMutation = 'mutation SignOut { signOut }';
const viewerQuery = 'query SignedInAs { viewer { user { name email } org { name } } }';

/** Where a session is kept: `sessionStorage` in the page, so that it ends with the browser tab. */
export type SessionStorage = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;

/** One person's sign-in: holds the tokens, renews them in time, and tells the page when something changed. */
export class Session {
  #saved: Saved | null;
  #state: SessionState;
  #renewal: Promise<string | null> | null = null;
  readonly #listeners = new Set<() => void>();

  constructor(
    /** The GraphQL address that tokens are from and for. */
    readonly endpoint: URL,
    private readonly storage: SessionStorage,
    private readonly now: () => number = Date.now,
  ) {
    this.#saved = readSaved(storage);
    this.#state = { account: this.#saved?.account ?? null, notice: null };
  }

  /** The present state; for `useSyncExternalStore`. */
  readonly getState = (): SessionState => this.#state;

  /** Calls the listener after every change; for `useSyncExternalStore`. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Signs in. @throws an Error whose message tells the user what to do. */
  async signIn(email: string, password: string): Promise<void> {
    const answer = await postOperation<{ signIn: Tokens }>(this.endpoint, {
      query: signInMutation,
      variables: { input: { email, password } },
    });
    const tokens = dataOf(answer, 'Signing in did not work').signIn;
    const account = await this.#loadAccount(tokens.accessToken, email);
    this.#save({ tokens, account });
    this.#change({ account, notice: null });
  }

  /** Signs out, here at once and on the server if it can be reached. */
  async signOut(): Promise<void> {
    const token = this.#saved?.tokens.accessToken;
    this.#save(null);
    this.#change({ account: null, notice: null });
    if (!token) return;
    // The tokens are gone from this browser either way, so there is nothing that the user could do about a failure.
    await postOperation(this.endpoint, { query: signOutMutation }, bearer(token), { keepalive: true }).catch(
      () => undefined,
    );
  }

  /**
   * Forgets a session that the server no longer accepts and asks the user to sign in, with the reason.
   *
   * @param refused the token that was refused; when another one has taken its place meanwhile, the session stays.
   */
  end(notice: string, refused: string | null): void {
    if (this.#saved && this.#saved.tokens.accessToken !== refused) return;
    this.#save(null);
    this.#change({ account: null, notice });
  }

  /** An access token that is good for a call now, or null when nobody is signed in. */
  async accessToken(): Promise<string | null> {
    if (!this.#saved) return null;
    return this.remainingMs() > renewBeforeExpiryMs ? this.#saved.tokens.accessToken : this.renew();
  }

  /** How long the access token is still valid, by this machine's clock; 0 when nobody is signed in. */
  remainingMs(): number {
    return this.#saved ? Date.parse(this.#saved.tokens.expiresAt) - this.now() : 0;
  }

  /**
   * Fetches new tokens; calls at the same time share one request, because a refresh token is good for one use.
   *
   * @param rejected the token that the server refused: when it has been replaced meanwhile, the new one is answered at once.
   */
  renew(rejected?: string): Promise<string | null> {
    const current = this.#saved?.tokens.accessToken ?? null;
    if (rejected !== undefined && rejected !== current) return Promise.resolve(current);
    this.#renewal ??= this.#renew().finally(() => {
      this.#renewal = null;
    });
    return this.#renewal;
  }

  async #renew(): Promise<string | null> {
    const before = this.#saved;
    if (!before) return null;
    const answer = await postOperation<{ refreshSession: Tokens }>(this.endpoint, {
      query: refreshMutation,
      variables: { input: { refreshToken: before.tokens.refreshToken } },
    });
    // Signed out, or in as somebody else, while the answer was on its way.
    if (this.#saved !== before) return this.#saved?.tokens.accessToken ?? null;
    if (isUnauthenticated(answer)) {
      this.end(notices.ended, before.tokens.accessToken);
      return null;
    }
    const tokens = dataOf(answer, 'Renewing the session did not work').refreshSession;
    this.#save({ ...before, tokens });
    return tokens.accessToken;
  }

  async #loadAccount(token: string, email: string): Promise<Account> {
    const answer = await postOperation<{
      viewer: { user: { name: string; email: string } | null; org: { name: string } };
    }>(this.endpoint, { query: viewerQuery }, bearer(token));
    const { user, org } = dataOf(answer, 'Reading your account did not work').viewer;
    return { name: user?.name ?? email, email: user?.email ?? email, org: org.name };
  }

  #save(saved: Saved | null): void {
    this.#saved = saved;
    if (saved) this.storage.setItem(storageKey, JSON.stringify(saved));
    else this.storage.removeItem(storageKey);
  }

  #change(state: SessionState): void {
    this.#state = state;
    for (const listener of this.#listeners) listener();
  }
}

/** The header that carries an access token. */
export const bearer = (token: string): { authorization: string } => ({ authorization: `Bearer ${token}` });

/** The data of an answer that must not fail. @throws an Error with the server's own words, or kinder ones for the known cases. */
function dataOf<Data>(answer: Answer<Data>, failure: string): Data {
  const [error] = answer.errors ?? [];
  if (error?.extensions?.code === 'INVALID_CREDENTIALS')
    throw new Error('This email and password do not belong together. Check both and try again.');
  if (error || !answer.data) throw new Error(`${failure}: ${error?.message ?? 'the answer was empty. Try again.'}`);
  return answer.data;
}

function readSaved(storage: SessionStorage): Saved | null {
  try {
    const saved = JSON.parse(storage.getItem(storageKey) ?? 'null') as Partial<Saved> | null;
    return saved?.tokens?.refreshToken && saved.account?.email ? (saved as Saved) : null;
  } catch {
    // Written by something else: the user signs in again.
    return null;
  }
}
