import 'graphiql/setup-workers/vite';
import 'graphiql/style.css';
import '@graphiql/plugin-explorer/style.css';
import './style.css';

import { explorerPlugin } from '@graphiql/plugin-explorer';
import { GraphiQL, HISTORY_PLUGIN } from 'graphiql';
import { useMemo, useState, useSyncExternalStore } from 'react';
import { createRoot } from 'react-dom/client';
import { examples } from './examples.js';
import { createFetcher } from './fetcher.js';
import { Session, type SessionState } from './session.js';
import { SignInDialog } from './sign-in.js';

const session = new Session(new URL('/graphql', window.location.href), window.sessionStorage);
const plugins = [HISTORY_PLUGIN, explorerPlugin()];
const tabs = examples(new Date()).map(({ query, variables }) => ({
  query,
  variables: variables ? JSON.stringify(variables, null, 2) : null,
}));

/** Without these the variables editor takes every own scalar for a string or number and marks objects as mistakes. */
const scalarSchemas = { JSON: {}, DateTime: { type: 'string' as const, format: 'date-time' }, BigInt: {} };

function App() {
  const state = useSyncExternalStore(session.subscribe, session.getState);
  const { account, notice } = state;
  // The state in which the user closed the dialog: any later one, such as a session that ended, opens it again.
  const [dismissed, setDismissed] = useState<SessionState | null>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new fetcher for each sign-in makes GraphiQL read the schema again, as the new user sees it.
  const fetcher = useMemo(() => createFetcher(session), [account]);

  return (
    <>
      <header className="bar">
        <h1>
          <b>Harborwatch</b> GraphiQL
        </h1>
        <p className="who" role="status">
          {account ? `${account.name} · ${account.org}` : 'Not signed in'}
        </p>
        {account ? (
          <button type="button" title={`Ends the session of ${account.email}`} onClick={signOut}>
            Sign out
          </button>
        ) : (
          <button type="button" onClick={() => setDismissed(null)}>
            Sign in
          </button>
        )}
      </header>
      <main>
        <GraphiQL
          fetcher={fetcher}
          schema={account ? undefined : null}
          defaultTabs={tabs}
          defaultEditorToolsVisibility="variables"
          plugins={plugins}
          schemaDescription
          inputValueDeprecation
          customScalarSchemas={scalarSchemas}
        >
          <GraphiQL.Logo>{null}</GraphiQL.Logo>
        </GraphiQL>
      </main>
      <SignInDialog
        session={session}
        open={account === null && dismissed !== state}
        notice={notice}
        onClose={() => setDismissed(state)}
      />
    </>
  );
}

/** GraphiQL gives the editor its colours once; this follows the system when it turns dark or light later. */
window.matchMedia('(prefers-color-scheme: dark)').addEventListener('change', ({ matches }) => {
  const chosenByUser = document.body.matches('.graphiql-light, .graphiql-dark');
  if (!chosenByUser) globalThis.__MONACO?.editor.setTheme(matches ? 'graphiql-DARK' : 'graphiql-LIGHT');
});

/** Signs out and starts the page afresh, so that no result of this user stays in its memory. */
function signOut(): void {
  void session.signOut();
  window.location.reload();
}

createRoot(document.getElementById('root') as HTMLElement).render(<App />);
