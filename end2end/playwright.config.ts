import { defineConfig, devices } from "@playwright/test";

// Debian's Chromium; Playwright's own browsers are never downloaded.
const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";

export default defineConfig({
  testDir: "specs",
  globalSetup: "./support/global-setup.ts",
  outputDir: "test-results",
  // One server and one database for all specs: they follow each other.
  workers: 1,
  fullyParallel: false,
  forbidOnly: !!process.env.CI,
  retries: 0,
  timeout: 60_000,
  reporter: [["list"]],
  use: {
    ...devices["Desktop Chrome"],
    channel: undefined,
    viewport: { width: 1280, height: 800 },
    trace: "retain-on-failure",
    launchOptions: {
      executablePath,
      args: [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    },
  },
  // A spec named *.nojs.spec.ts runs with JavaScript off, any other with it on.
  projects: [
    { name: "js-on", testIgnore: /\.nojs\.spec\.ts$/ },
    { name: "js-off", testMatch: /\.nojs\.spec\.ts$/, use: { javaScriptEnabled: false } },
  ],
});
