import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { examples } from '../../../web/graphiql/examples.js';
import { postOperation } from '../../../web/graphiql/request.js';
import { launchOfflineBrowser, type OfflineBrowser } from '../../setup/browser.js';
import { startHarborwatch } from '../../setup/harborwatch.js';

const startTimeoutMs = 300_000;
const testTimeoutMs = 300_000;
/** How long one thing on the page may take to show. */
const soon = { timeout: 60_000 };

let harborwatch: Awaited<ReturnType<typeof startHarborwatch>>;
let browser: OfflineBrowser;

beforeAll(async () => {
  harborwatch = await startHarborwatch();
  browser = await launchOfflineBrowser(harborwatch.url);
}, startTimeoutMs);

afterAll(async () => {
  await browser?.close();
  await harborwatch?.dispose();
});

test(
  'the page loads from this server alone and is used from sign-in to sign-out without a console error',
  async () => {
    const { page, foreignRequests, consoleErrors } = await browser.open('/graphiql/');
    expect(await page.title()).toBe('GraphiQL · Harborwatch');
    await signIn(page);

    await page.getByRole('button', { name: 'Show Documentation Explorer' }).click();
    await page.getByRole('link', { name: 'Query', exact: true }).first().click();
    await page.getByRole('link', { name: 'Viewer', exact: true }).click();
    await page.getByRole('link', { name: 'capabilities', exact: true }).waitFor();

    await page.getByRole('button', { name: 'Show GraphiQL Explorer' }).click();
    await page.locator('.graphiql-explorer-viewer').getByText('expiresAt', { exact: true }).click();
    await expect.poll(() => editorText(page, 'operation'), soon).not.toContain('expiresAt');

    await page.reload();
    await Promise.all([page.waitForEvent('load'), page.getByRole('button', { name: 'Sign out' }).click()]);
    await page.getByRole('dialog', { name: 'Sign in to Harborwatch' }).waitFor();
    await page.reload();
    await page.getByText('Not signed in').waitFor();

    expect(foreignRequests).toEqual([]);
    expect(consoleErrors).toEqual([]);
  },
  testTimeoutMs,
);

test(
  'every example runs as it is, and the live tail shows an event that is ingested meanwhile',
  async () => {
    const { page, foreignRequests, consoleErrors } = await browser.open('/graphiql/');
    await signIn(page);
    const ingest = await openIngest();
    for (const { query } of examples(new Date())) {
      const [, kind, title] = /^(query|mutation|subscription) (\w+)/m.exec(query) ?? [];
      await page.getByRole('tablist').getByRole('button', { name: title, exact: true }).click();
      await expect.poll(() => editorText(page, 'operation'), soon).toBe(query);
      await page.getByRole('button', { name: /^Execute query/ }).click();
      if (kind === 'subscription') {
        const marker = crypto.randomUUID();
        // Sent until it is seen: nothing tells a client at what moment its subscription has started.
        const sentAndSeen = async () => {
          await ingest(`/${marker}`);
          return editorText(page, 'response');
        };
        await expect.poll(sentAndSeen, { ...soon, interval: 500 }).toContain(marker);
        await page.getByRole('button', { name: /^Stop query/ }).click();
      }
      await expect.poll(() => editorText(page, 'response'), { ...soon, message: title }).not.toBe('');
      const { data, errors } = JSON.parse(await editorText(page, 'response'));
      expect(errors, `${title} gave errors`).toBeUndefined();
      expect(data, `${title} gave no data`).toEqual(expect.any(Object));
    }
    expect(foreignRequests).toEqual([]);
    expect(consoleErrors).toEqual([]);
  },
  testTimeoutMs,
);

test(
  'a wrong password is told kindly, and the right one then works',
  async () => {
    const { page } = await browser.open('/graphiql/');
    await page.getByRole('dialog', { name: 'Sign in to Harborwatch' }).waitFor();
    await page.keyboard.type(harborwatch.email);
    await page.keyboard.press('Tab');
    await page.keyboard.type('not the password');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').getByText('This email and password do not belong together. Check both').waitFor();

    // The focus is back on the password, its text selected: typing replaces it.
    await page.keyboard.type(harborwatch.password);
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Sign out' }).waitFor();
  },
  testTimeoutMs,
);

test(
  'an operation without a sign-in says that it needs one',
  async () => {
    const { page } = await browser.open('/graphiql/');
    await page.getByRole('dialog', { name: 'Sign in to Harborwatch' }).waitFor();
    await page.keyboard.press('Escape');
    await expect.poll(() => editorText(page, 'operation'), soon).toContain('WhoAmI'); // The editor loads after the page.
    await page.getByRole('button', { name: /^Execute query/ }).click();
    await page.getByRole('dialog').getByText('This operation needs you to be signed in.').waitFor();
  },
  testTimeoutMs,
);

/** Signs in with the keyboard alone. */
async function signIn(page: Page): Promise<void> {
  await page.getByRole('dialog', { name: 'Sign in to Harborwatch' }).waitFor();
  await page.keyboard.type(harborwatch.email);
  await page.keyboard.press('Tab');
  await page.keyboard.type(harborwatch.password);
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Sign out' }).waitFor();
}

/** The whole text of an editor, also of the lines that are scrolled out of view. */
function editorText(page: Page, editor: 'operation' | 'response'): Promise<string> {
  return page.evaluate((name) => {
    interface Model {
      uri: { path: string };
      getValue(): string;
    }
    const monaco = (globalThis as unknown as { __MONACO?: { editor: { getModels(): Model[] } } }).__MONACO;
    const model = monaco?.editor.getModels().find(({ uri }) => uri.path.includes(name));
    return model?.getValue() ?? '';
  }, editor);
}

/** Signs in through the API and answers how to send one web request to the dataset that the live tail watches. */
async function openIngest(): Promise<(path: string) => Promise<void>> {
  const endpoint = new URL('/graphql', harborwatch.url);
  const session = await postOperation<{ signIn: { accessToken: string } }>(endpoint, {
    query: 'mutation ($input: SignInInput!) { signIn(input: $input) { accessToken } }',
    variables: { input: { email: harborwatch.email, password: harborwatch.password } },
  });
  return async (path) => {
    const event = { request_timestamp: new Date().toISOString(), url: path, http_method: 'GET', status_code: 200 };
    const receipt = await postOperation(
      endpoint,
      {
        query: 'mutation ($input: IngestEventsInput!) { ingestEvents(input: $input) { accepted } }',
        variables: { input: { dataset: 'website_logs', events: [event] } },
      },
      { authorization: `Bearer ${session.data?.signIn.accessToken}` },
    );
    expect(receipt).toEqual({ data: { ingestEvents: { accepted: 1 } } });
  };
}
