/// <reference types="vite/client" />

/** The editor, which GraphiQL puts here when it has loaded it. */
declare var __MONACO: { editor: { setTheme(name: string): void } } | undefined;
