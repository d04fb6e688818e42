import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContextOptions, type Page, chromium as playwright } from 'playwright-core';

/** One browser page that can reach the tested origin and nothing else. */
export interface OfflinePage {
  page: Page;
  /** Addresses outside the tested origin that the page asked for; they were not let through. */
  foreignRequests: string[];
  /** Errors that the page wrote to its console or threw. */
  consoleErrors: string[];
}

/** A real Chromium, cut off from every address but the origin of one URL. */
export interface OfflineBrowser {
  /** Opens the URL in a page with cookies, storage and cache of its own. */
  open(path: string, options?: BrowserContextOptions): Promise<OfflinePage>;
  /** Closes all pages and removes the browser's files. */
  close(): Promise<void>;
}

/** Starts a browser for the server at the given URL. */
export async function launchOfflineBrowser(baseUrl: string): Promise<OfflineBrowser> {
  const { origin, hostname, host } = new URL(baseUrl);
  const directory = await mkdtemp(join(tmpdir(), 'harborwatch-browser-'));
  const removeFiles = () => rm(directory, { recursive: true, force: true });
  const launch = async () =>
    playwright.launch({
      executablePath: await unpackChromium(directory),
      // Chromium's sandbox does not start as root or in most containers; the pages opened here are our own.
      args: ['--no-sandbox', '--disable-gpu', `--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE ${hostname}`],
    });
  const browser = await launch().catch(async (error: unknown) => {
    await removeFiles();
    throw error;
  });

  return {
    async open(path, options) {
      const context = await browser.newContext(options);
      const page = await context.newPage();
      const foreignRequests: string[] = [];
      const consoleErrors: string[] = [];
      await context.route('**/*', (route) => {
        const address = route.request().url();
        if (new URL(address).origin === origin) return route.continue();
        foreignRequests.push(address);
        return route.abort();
      });
      page.on('websocket', (socket) => {
        if (new URL(socket.url()).host !== host) foreignRequests.push(socket.url());
      });
      page.on('console', (message) => {
        if (message.type() === 'error') consoleErrors.push(`${message.text()} (${message.location().url})`);
      });
      page.on('pageerror', (error) => consoleErrors.push(error.stack ?? error.message));
      await page.goto(new URL(path, origin).href);
      return { page, foreignRequests, consoleErrors };
    },
    async close() {
      await browser.close();
      await removeFiles();
    },
  };
}

/** Unpacks the browser into a directory of its own: the package uses TMPDIR, where parallel tests would meet. */
async function unpackChromium(directory: string): Promise<string> {
  const before = process.env.TMPDIR;
  process.env.TMPDIR = directory;
  try {
    const { default: chromium } = await import('@sparticuz/chromium');
    return await chromium.executablePath();
  } finally {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
  }
}
