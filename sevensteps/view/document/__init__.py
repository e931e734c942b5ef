"""What a page shows of a training, as plain JSON: `view/web/document.js` says what each part is."""
