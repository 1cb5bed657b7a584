// A real Chromium under the command of a test: one JSON command per line on stdin, one JSON answer per line on stdout.
//
//   node browser.js {"chromium": "/usr/bin/chromium", "names": "a name that leads to this machine",
//                    "certificates": ["PEM of one that a person has told the browser to put up with", ...]}
'use strict';

const { X509Certificate, createHash } = require('node:crypto');
const readline = require('node:readline');
const { chromium } = require('playwright-core');

const options = JSON.parse(process.argv[2] || '{}');
const PATIENCE_MS = 15000;
const pages = new Map();
let browser;

/** What Chromium knows a certificate by: the hash of its key. Every other one it refuses as ever. */
function hashOf(pem) {
  const key = new X509Certificate(pem).publicKey.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(key).digest('base64');
}

const known = (options.certificates ?? []).map(hashOf).join(',');
chromium.launch({
  executablePath: options.chromium,
  args: [
    '--no-sandbox', `--host-resolver-rules=MAP ${options.names} 127.0.0.1`,
    ...known ? [`--ignore-certificate-errors-spki-list=${known}`] : [],
  ],
}).then((made) => {
  browser = made;
  process.stdout.write(`${JSON.stringify({ listening: 0 })}\n`);
});

/** Everything that assistive technology is told of a page. */
async function tree(page) {
  const session = await page.context().newCDPSession(page);
  const { nodes } = await session.send('Accessibility.getFullAXTree');
  await session.detach();
  return nodes.filter((node) => !node.ignored).map((node) => ({
    role: node.role?.value,
    name: node.name?.value ?? '',
    value: node.value?.value,
    ...Object.fromEntries((node.properties ?? []).map(({ name, value }) => [name, value?.value])),
  }));
}

async function open({ page: name, url, dark }) {
  if (!pages.has(name)) {
    const context = await browser.newContext({
      viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, colorScheme: dark ? 'dark' : 'light',
    });
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    const noted = { page, asked: [], complaints: [] };
    page.on('request', (request) => noted.asked.push(request.url()));
    page.on('websocket', (socket) => noted.asked.push(socket.url()));
    page.on('pageerror', (error) => noted.complaints.push(String(error)));
    page.on('console', (message) => message.type() === 'error' && noted.complaints.push(message.text()));
    pages.set(name, noted);
  }
  await pages.get(name).page.goto(url);
  return {};
}

async function obey(command) {
  if (command.do === 'open') return open(command);
  if (command.do === 'refused') return open(command).then(() => null, String);
  const { page, asked, complaints } = pages.get(command.page);
  const found = () => page.getByRole(command.role, { name: command.name, exact: true });
  switch (command.do) {
    case 'press':
      // What cannot be done now takes the press all the same, and says why.
      if (await found().getAttribute('aria-disabled') !== 'true') return found().click();
      await found().focus();
      return page.keyboard.press('Enter');
    case 'see': return found().first().waitFor();
    case 'fill': return page.getByLabel(command.label).fill(command.text);
    case 'key': return page.keyboard.press(command.key);
    case 'reload': return page.reload();
    case 'words': return page.locator('body').innerText();
    case 'address': return page.url();
    case 'tree': return tree(page);
    case 'run': return page.evaluate(`(${command.script})(${JSON.stringify(command.given)})`);
    case 'noted': return { asked, complaints };
    case 'picture': return page.screenshot({ path: command.path, fullPage: command.whole }).then(() => null);
    case 'close': return page.context().close();
    default: throw new Error(`no such command: ${command.do}`);
  }
}

readline.createInterface({ input: process.stdin }).on('line', async (line) => {
  const command = JSON.parse(line);
  let answer;
  try {
    answer = { answer: (await obey(command)) ?? null };
  } catch (error) {
    answer = { failed: String(error) };
  }
  process.stdout.write(`${JSON.stringify({ number: command.number, ...answer })}\n`);
}).on('close', async () => {
  await browser?.close();
  process.exit(0);
});
